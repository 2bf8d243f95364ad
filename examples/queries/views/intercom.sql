-- The conversations of Intercom. Its times are seconds since 1970.
create or replace view all_conversations_intercom as
select
    'intercom' as platform,
    c.id as conversation_id,
    c.source ->> 'type' as channel,
    case when c.state = 'closed' then 'closed' else 'open' end as status,
    ((c.contacts -> 'contacts') -> 0) ->> 'id' as customer_id,
    cast(c.admin_assignee_id as varchar) as agent_id,
    a.email as agent,
    to_timestamp(c.created_at) as created_at,
    case when c.state = 'closed' then to_timestamp(p.closed_at) end as closed_at
from intercom_conversations as c
left join intercom_admins as a on a.id = cast(c.admin_assignee_id as varchar)
left join (
    select _conversations_id, max(created_at) as closed_at
    from intercom_conversation_parts
    where part_type = 'close'
    group by _conversations_id
) as p on p._conversations_id = c.id;

-- Their messages: the first one is the source of the conversation. Bodies are HTML.
create or replace view all_messages_intercom as
select
    'intercom' as platform,
    id as conversation_id,
    source ->> 'id' as message_id,
    to_timestamp(created_at) as created_at,
    case ((source -> 'author') ->> 'type')
        when 'admin' then 'agent'
        when 'bot' then 'bot'
        else 'customer'
    end as author,
    (source -> 'author') ->> 'id' as author_id,
    (source -> 'author') ->> 'email' as author_email,
    source ->> 'body' as text,
    false as private,
    false as deleted
from intercom_conversations
union all
select
    'intercom',
    _conversations_id,
    id,
    to_timestamp(created_at),
    case (author ->> 'type') when 'admin' then 'agent' when 'bot' then 'bot' else 'customer' end,
    author ->> 'id',
    author ->> 'email',
    body,
    part_type = 'note',
    redacted
from intercom_conversation_parts
-- An assignment may come with a message; the other parts without a body are no messages.
where part_type in ('comment', 'note') or body is not null;

-- Their ratings.
create or replace view all_ratings_intercom as
select
    'intercom' as platform,
    id as conversation_id,
    to_timestamp(updated_at) as rated_at,
    cast(conversation_rating ->> 'rating' as double precision) as score,
    cast(conversation_rating ->> 'rating' as double precision) >= 4 as satisfied,
    conversation_rating ->> 'remark' as remark
from intercom_conversations
where (conversation_rating ->> 'rating') is not null;
