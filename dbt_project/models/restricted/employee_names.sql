select
    employee_id,
    full_name,
    {{ as_of() }} as as_of
from {{ ref('int_employees') }}
