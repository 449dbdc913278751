select
    client_id,
    name,
    {{ as_of() }} as as_of
from {{ ref('int_clients') }}
where is_in_crm
