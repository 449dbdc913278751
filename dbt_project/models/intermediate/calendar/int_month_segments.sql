select
    months.*,
    segments.segment
from {{ ref('int_months') }} as months
cross join {{ ref('int_segments') }} as segments
