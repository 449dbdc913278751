select
    employee_id,
    department,
    is_head,
    {{ as_of() }} as as_of
from {{ ref('int_employees') }}
