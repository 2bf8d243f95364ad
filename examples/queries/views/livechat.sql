-- The threads of LiveChat. A chat has several, one each time the customer comes back.
create or replace view all_conversations_livechat as
select
    'livechat' as platform,
    t.id as conversation_id,
    'livechat' as channel,
    case when t.active then 'open' else 'closed' end as status,
    u.customer_id,
    u.agent_id,
    u.agent_id as agent,
    t.created_at,
    t.ended_at as closed_at
from livechat_threads as t
left join (
    -- LiveChat shows all users of a chat with each thread: those in user_ids took part in it.
    select
        thread.id,
        min(case when users.type = 'customer' then users.id end) as customer_id,
        min(case when users.type = 'agent' then users.id end) as agent_id
    from livechat_threads as thread
    cross join lateral generate_series(
        0, json_array_length(thread.user_ids::json)::bigint - 1
    ) as part (i)
    join livechat_thread_users as users
        on users.thread_id = thread.id and users.id = (thread.user_ids ->> part.i::int)
    group by thread.id
) as u on u.id = t.id;

-- Their messages: the other events are forms, and those of integrations.
create or replace view all_messages_livechat as
select
    'livechat' as platform,
    e.thread_id as conversation_id,
    e.id as message_id,
    e.created_at,
    case
        when e.type = 'system_message' then 'system'
        when b.id is not null then 'bot'
        else u.type
    end as author,
    e.author_id,
    coalesce(u.email, case when u.type = 'agent' and b.id is null then e.author_id end) as author_email,
    coalesce(e.text, e.name) as text,
    coalesce(e.visibility = 'agents', false) as private,
    coalesce(e.deleted, false) as deleted
from livechat_thread_events as e
left join livechat_thread_users as u on u.thread_id = e.thread_id and u.id = e.author_id
left join livechat_bots as b on b.id = e.author_id
where e.type in ('message', 'file', 'rich_message', 'system_message');

-- Their ratings: 1 is good, 0 is bad. A rating has no time of its own.
create or replace view all_ratings_livechat as
select
    'livechat' as platform,
    id as conversation_id,
    ended_at as rated_at,
    cast((properties -> 'rating') ->> 'score' as double precision) as score,
    ((properties -> 'rating') ->> 'score') = '1' as satisfied,
    (properties -> 'rating') ->> 'comment' as remark
from livechat_threads
where ((properties -> 'rating') ->> 'score') is not null;

-- When a customer came back to a chat: each thread but the first.
create or replace view all_reopenings_livechat as
select 'livechat' as platform, id as conversation_id, created_at as reopened_at
from livechat_threads
where previous_thread_id is not null;
