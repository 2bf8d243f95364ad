-- The conversations of Chatwoot. Its times are seconds since 1970.
create or replace view all_conversations_chatwoot as
select
    'chatwoot' as platform,
    cast(id as varchar) as conversation_id,
    meta ->> 'channel' as channel,
    case when status = 'resolved' then 'closed' else 'open' end as status,
    (meta -> 'sender') ->> 'id' as customer_id,
    (meta -> 'assignee') ->> 'id' as agent_id,
    (meta -> 'assignee') ->> 'name' as agent,
    to_timestamp(created_at) as created_at,
    -- The API has no time at which it was resolved, but that is an activity.
    case when status = 'resolved' then to_timestamp(last_activity_at) end as closed_at
from chatwoot_conversations;

-- Their messages. Those that are private are notes.
create or replace view all_messages_chatwoot as
select
    'chatwoot' as platform,
    cast(m.conversation_id as varchar) as conversation_id,
    cast(m.id as varchar) as message_id,
    to_timestamp(m.created_at) as created_at,
    case m.message_type when 0 then 'customer' when 1 then 'agent' when 3 then 'bot' else 'system' end as author,
    m.sender ->> 'id' as author_id,
    a.email as author_email,
    m.content as text,
    m.private,
    coalesce((m.content_attributes ->> 'deleted') = 'true', false) as deleted
from chatwoot_messages as m
left join chatwoot_agents as a
    on m.message_type = 1 and cast(a.id as varchar) = (m.sender ->> 'id');
