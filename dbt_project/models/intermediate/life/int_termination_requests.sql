select
    source || ':' || request_key as request_id,
    client_key as client_id,
    requested_at,
    {{ local_date('requested_at') }} as requested_on,
    outcome,
    completed_at,
    {{ local_date('completed_at') }} as completed_on,
    bonus_offered,
    obstacle,
    -- Nobody is released before the paperwork is complete.
    coalesce(outcome = 'released' and {{ local_date('completed_at') }} < {{ as_of() }}, false) as is_completed_release
from {{ ref('stg_canonical__termination_requests') }}
where {{ local_date('requested_at') }} < {{ as_of() }}
