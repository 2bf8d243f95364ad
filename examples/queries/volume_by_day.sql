select
    platform,
    channel,
    cast(created_at at time zone 'UTC' as date) as day,
    count(*) as conversations
from all_conversations
group by platform, channel, cast(created_at at time zone 'UTC' as date)
order by day, platform, channel;
