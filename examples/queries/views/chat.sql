-- The messages of a messages API, with the fields of docs/messages.md: change this for those of yours.
create or replace view all_messages_chat as
select
    'chat' as platform,
    cast(null as varchar) as conversation_id,
    id as message_id,
    "timestamp" as created_at,
    -- Nothing says who writes: a user, or an agent.
    cast(null as varchar) as author,
    user_id as author_id,
    cast(null as varchar) as author_email,
    message as text,
    false as private,
    false as deleted
from chat_messages;
