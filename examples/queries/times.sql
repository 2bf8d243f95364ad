select
    platform,
    count(*) as messages,
    min(created_at) at time zone 'UTC' as first_message,
    max(created_at) at time zone 'UTC' as last_message
from all_messages
group by platform
order by platform;
