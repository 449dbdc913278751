select
    client_id,
    month,
    is_opening,
    is_closing,
    is_churned,
    exit_type,
    opening_mrr,
    closing_mrr,
    movement,
    mrr_change,
    {{ as_of() }} as as_of
from {{ ref('int_client_months') }}
