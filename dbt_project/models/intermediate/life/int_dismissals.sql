select
    client_key as client_id,
    dismissed_at,
    {{ local_date('dismissed_at') }} as dismissed_on,
    reason
from {{ ref('stg_canonical__dismissals') }}
where {{ local_date('dismissed_at') }} < {{ as_of() }}
