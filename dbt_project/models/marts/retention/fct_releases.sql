select
    client_id,
    spell_number,
    requested_at,
    released_on,
    handling,
    days_to_release,
    reason_code,
    refund_decision,
    returned_on,
    days_to_return,
    is_censored,
    {{ as_of() }} as as_of
from {{ ref('int_releases') }}
