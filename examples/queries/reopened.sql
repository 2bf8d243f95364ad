with reopened as (
    select platform, conversation_id, count(*) as times
    from all_reopenings
    group by platform, conversation_id
)

select
    c.platform,
    count(*) as conversations,
    count(r.times) as reopened,
    cast(100.0 * count(r.times) / count(*) as numeric(12, 1)) as reopened_percent,
    cast(coalesce(sum(r.times), 0) as integer) as times
from all_conversations as c
left join reopened as r on r.platform = c.platform and r.conversation_id = c.conversation_id
where c.platform in (select platform from all_reopenings)
group by c.platform
order by c.platform;
