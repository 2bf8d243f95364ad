-- The conversations of Freshchat.
create or replace view all_conversations_freshchat as
select
    'freshchat' as platform,
    c.conversation_id,
    i.name as channel,
    case when c.status = 'resolved' then 'closed' else 'open' end as status,
    c.user_id as customer_id,
    c.assigned_agent_id as agent_id,
    a.email as agent,
    c.created_time as created_at,
    -- The last change of a resolved conversation: Freshchat has no time of its resolution here.
    case when c.status = 'resolved' then c.updated_time end as closed_at
from freshchat_conversations as c
left join freshchat_channels as i on i.id = c.channel_id
left join freshchat_agents as a on a.id = c.assigned_agent_id;

-- Its messages. A message is a list of parts: its text is that of the parts with `text`.
create or replace view all_messages_freshchat as
select
    'freshchat' as platform,
    m.conversation_id,
    m.id as message_id,
    m.created_time as created_at,
    case
        when m.message_type = 'system' or m.actor_type = 'system' then 'system'
        when m.actor_type = 'user' then 'customer'
        else m.actor_type
    end as author,
    m.actor_id as author_id,
    a.email as author_email,
    (
        select string_agg(((m.message_parts -> p.i::int) -> 'text') ->> 'content', chr(10) order by p.i)
        from generate_series(0, json_array_length(m.message_parts::json)::int - 1) as p (i)
    ) as text,
    m.message_type = 'private' as private,
    false as deleted
from freshchat_conversations_messages as m
left join freshchat_agents as a on a.id = m.actor_id;

-- Its ratings, if `extra_streams` has freshchat_csat_scores.
create or replace view all_ratings_freshchat as
select
    'freshchat' as platform,
    conversation_id,
    created_at as rated_at,
    score,
    score >= 4 as satisfied,
    csat_response as remark
from freshchat_csat_scores
where score is not null;

-- When conversations were reopened, if `extra_streams` has freshchat_conversation_events.
create or replace view all_reopenings_freshchat as
select 'freshchat' as platform, conversation_id, created_at as reopened_at
from freshchat_conversation_events
where event = 'Conversation-Created' and reopened = 'true';
