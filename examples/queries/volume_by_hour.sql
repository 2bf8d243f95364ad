select
    cast(extract(isodow from created_at at time zone 'UTC') as integer) as weekday,
    cast(extract(hour from created_at at time zone 'UTC') as integer) as hour,
    count(*) as messages
from all_messages
where author = 'customer'
group by
    cast(extract(isodow from created_at at time zone 'UTC') as integer),
    cast(extract(hour from created_at at time zone 'UTC') as integer)
order by weekday, hour;
