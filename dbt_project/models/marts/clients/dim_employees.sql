select
    employee_key as employee_id,
    department,
    is_head,
    {{ as_of() }} as as_of
from {{ ref('stg_canonical__employees') }}
qualify row_number() over (partition by employee_key order by updated_at desc nulls last, source asc) = 1
