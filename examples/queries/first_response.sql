with asked as (
    select platform, conversation_id, min(created_at) as asked_at
    from all_messages
    where author = 'customer' and not private and not deleted
    group by platform, conversation_id
),

responded as (
    select a.platform, extract(epoch from min(m.created_at) - a.asked_at) / 60 as minutes
    from asked as a
    left join all_messages as m
        on
            m.platform = a.platform
            and m.conversation_id = a.conversation_id
            and m.author = 'agent'
            and not m.private
            and not m.deleted
            and m.created_at >= a.asked_at
    group by a.platform, a.conversation_id, a.asked_at
)

select
    platform,
    count(*) as conversations,
    count(minutes) as responded,
    cast(percentile_cont(0.5) within group (order by minutes) as numeric(12, 1)) as median_minutes,
    cast(percentile_cont(0.9) within group (order by minutes) as numeric(12, 1)) as p90_minutes
from responded
group by platform
order by platform;
