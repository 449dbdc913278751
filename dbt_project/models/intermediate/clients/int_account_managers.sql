select
    client_id,
    employee_id
from {{ ref('int_manager_assignments') }}
where valid_to is null
qualify row_number() over (partition by client_id order by valid_from desc, employee_id asc) = 1
