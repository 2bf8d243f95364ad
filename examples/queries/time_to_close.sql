with closed as (
    select platform, extract(epoch from closed_at - created_at) / 3600 as hours
    from all_conversations
)

select
    platform,
    count(*) as conversations,
    count(hours) as closed,
    cast(percentile_cont(0.5) within group (order by hours) as numeric(12, 1)) as median_hours,
    cast(percentile_cont(0.9) within group (order by hours) as numeric(12, 1)) as p90_hours
from closed
group by platform
order by platform;
