-- The tickets of Gorgias. Its times are texts.
create or replace view all_conversations_gorgias as
select
    'gorgias' as platform,
    cast(id as varchar) as conversation_id,
    channel,
    case when status = 'closed' then 'closed' else 'open' end as status,
    customer ->> 'id' as customer_id,
    assignee_user ->> 'id' as agent_id,
    assignee_user ->> 'name' as agent,
    cast(created_datetime as timestamptz) as created_at,
    case when status = 'closed' then cast(closed_datetime as timestamptz) end as closed_at
from gorgias_tickets;

-- Their messages. Those that are not public are internal notes.
create or replace view all_messages_gorgias as
select
    'gorgias' as platform,
    cast(ticket_id as varchar) as conversation_id,
    cast(id as varchar) as message_id,
    cast(created_datetime as timestamptz) as created_at,
    case when from_agent then 'agent' else 'customer' end as author,
    sender ->> 'id' as author_id,
    sender ->> 'email' as author_email,
    -- Without the quotes of earlier messages.
    coalesce(stripped_text, body_text) as text,
    not public as private,
    false as deleted
from gorgias_messages;

-- Their ratings.
create or replace view all_ratings_gorgias as
select
    'gorgias' as platform,
    cast(ticket_id as varchar) as conversation_id,
    cast(scored_datetime as timestamptz) as rated_at,
    cast(score as double precision) as score,
    score >= 4 as satisfied,
    body_text as remark
from gorgias_satisfaction_surveys
where score is not null;
