-- The conversations of Dixa. Times of its exports are milliseconds since 1970.
create or replace view all_conversations_dixa as
select
    'dixa' as platform,
    cast(id as varchar) as conversation_id,
    initial_channel as channel,
    case when status = 'closed' then 'closed' else 'open' end as status,
    requester_id as customer_id,
    assignee_id as agent_id,
    assignee_email as agent,
    to_timestamp(created_at / 1000.0) as created_at,
    to_timestamp(closed_at / 1000.0) as closed_at
from dixa_conversation_export;

-- Its messages. Internal notes are not among them: dixa_notes has them.
create or replace view all_messages_dixa as
select
    'dixa' as platform,
    cast(csid as varchar) as conversation_id,
    id as message_id,
    to_timestamp(created_at / 1000.0) as created_at,
    case
        when is_automated_message then 'bot'
        when direction = 'inbound' then 'customer'
        else 'agent'
    end as author,
    -- The export gives no id of the author.
    cast(null as varchar) as author_id,
    author_email,
    text,
    false as private,
    false as deleted
from dixa_messages;

-- Its ratings of satisfaction: a conversation may have several, and other types have other scales.
create or replace view all_ratings_dixa as
select
    'dixa' as platform,
    cast(c.id as varchar) as conversation_id,
    to_timestamp(cast((c.ratings -> r.i::int) ->> 'rating_rated_timestamp' as bigint) / 1000.0) as rated_at,
    cast((c.ratings -> r.i::int) ->> 'rating_score' as double precision) as score,
    cast((c.ratings -> r.i::int) ->> 'rating_score' as double precision) >= 4 as satisfied,
    (c.ratings -> r.i::int) ->> 'rating_message' as remark
from dixa_conversation_export as c
cross join lateral generate_series(0, json_array_length(c.ratings::json)::bigint - 1) as r (i)
where
    ((c.ratings -> r.i::int) ->> 'rating_type') = 'csat'
    and ((c.ratings -> r.i::int) ->> 'rating_score') is not null;

-- When conversations were reopened.
create or replace view all_reopenings_dixa as
select
    'dixa' as platform,
    cast(conversation_id as varchar) as conversation_id,
    activity_timestamp as reopened_at
from dixa_activity_log
where activity_type = 'ConversationReopened';
