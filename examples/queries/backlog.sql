with changes as (
    select platform, cast(created_at at time zone 'UTC' as date) as day, 1 as opened, 0 as closed
    from all_conversations
    union all
    select platform, cast(closed_at at time zone 'UTC' as date), 0, 1
    from all_conversations
    where closed_at is not null
),

days as (
    select platform, day, sum(opened) as opened, sum(closed) as closed
    from changes
    group by platform, day
)

select
    platform,
    day,
    cast(opened as integer) as opened,
    cast(closed as integer) as closed,
    cast(sum(opened - closed) over (partition by platform order by day) as integer) as open_at_end
from days
order by platform, day;
