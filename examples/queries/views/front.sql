-- The conversations of Front. Its times are seconds since 1970.
create or replace view all_conversations_front as
select
    'front' as platform,
    c.id as conversation_id,
    m.channel,
    case when c.status in ('archived', 'deleted', 'spam') then 'closed' else 'open' end as status,
    c.recipient ->> 'handle' as customer_id,
    c.assignee ->> 'id' as agent_id,
    c.assignee ->> 'email' as agent,
    to_timestamp(c.created_at) as created_at,
    -- The conversation has no time of its end: its last `archive` has.
    case
        when c.status in ('archived', 'deleted', 'spam') then to_timestamp(e.archived_at)
    end as closed_at
from front_conversations as c
left join (
    select _conversations_id, min(type) as channel from front_messages group by _conversations_id
) as m on m._conversations_id = c.id
left join (
    select conversation ->> 'id' as conversation_id, max(emitted_at) as archived_at
    from front_events
    where type = 'archive'
    group by conversation ->> 'id'
) as e on e.conversation_id = c.id;

-- Their messages without drafts, and the comments that teammates write to one another.
create or replace view all_messages_front as
select
    'front' as platform,
    _conversations_id as conversation_id,
    id as message_id,
    to_timestamp(created_at) as created_at,
    case when is_inbound then 'customer' else 'agent' end as author,
    author ->> 'id' as author_id,
    author ->> 'email' as author_email,
    text,
    false as private,
    false as deleted
from front_messages
where not is_draft
union all
select
    'front',
    _conversations_id,
    id,
    to_timestamp(posted_at),
    'agent',
    author ->> 'id',
    author ->> 'email',
    body,
    true,
    false
from front_comments;

-- When conversations were reopened.
create or replace view all_reopenings_front as
select
    'front' as platform,
    conversation ->> 'id' as conversation_id,
    to_timestamp(emitted_at) as reopened_at
from front_events
where type = 'reopen';
