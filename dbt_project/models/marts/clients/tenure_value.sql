select
    months.tenure_year,
    segments.segment,
    count(distinct months.client_id) as clients,
    count(*) as client_months,
    cast(sum(months.revenue) as decimal(18, 2)) as revenue,
    {{ as_of() }} as as_of
from {{ ref('int_tenure_months') }} as months
inner join {{ ref('int_client_segments') }} as segments on months.client_id = segments.client_id
group by months.tenure_year, segments.segment
