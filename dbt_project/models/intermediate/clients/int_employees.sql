select
    employee_key as employee_id,
    full_name,
    department,
    is_head
from {{ ref('stg_canonical__employees') }}
where active_from is null or active_from < {{ as_of() }}
qualify row_number() over (partition by employee_key order by updated_at desc nulls last, source asc) = 1
