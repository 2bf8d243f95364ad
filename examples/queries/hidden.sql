select
    platform,
    count(*) as messages,
    count(*) filter (where private) as private,
    count(*) filter (where deleted) as deleted,
    count(*) filter (where not private and not deleted) as shown,
    count(*) filter (where not private and not deleted and text is null) as shown_without_text
from all_messages
group by platform
order by platform;
