select
    client_id,
    segment
from {{ ref('int_clients') }}

union all

select
    client_id,
    'all' as segment
from {{ ref('int_clients') }}
