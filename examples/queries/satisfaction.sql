select
    platform,
    count(*) as ratings,
    cast(avg(score) as numeric(12, 2)) as mean_score,
    cast(100.0 * count(*) filter (where satisfied) / count(*) as numeric(12, 1)) as satisfied_percent
from all_ratings
group by platform
order by platform;
