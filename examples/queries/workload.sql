select
    platform,
    cast(date_trunc('week', created_at at time zone 'UTC') as date) as week,
    coalesce(author_email, author_id) as agent,
    count(distinct conversation_id) as conversations,
    count(*) filter (where not private) as replies,
    count(*) filter (where private) as notes
from all_messages
where author = 'agent' and not deleted
group by
    platform,
    cast(date_trunc('week', created_at at time zone 'UTC') as date),
    coalesce(author_email, author_id)
order by week, platform, replies desc, agent;
