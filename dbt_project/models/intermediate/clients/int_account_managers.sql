with assignments as (
    select
        client_key as client_id,
        employee_key as employee_id,
        valid_from,
        valid_to
    from {{ ref('stg_canonical__manager_assignments') }}
    where
        role = 'account_manager'
        -- An assignment of somebody unknown has lost its parent.
        and employee_key in (select employees.employee_id from {{ ref('int_employees') }} as employees)
),

final as (
    select
        client_id,
        employee_id
    from assignments
    where
        valid_from < {{ as_of() }}
        and (valid_to is null or valid_to >= {{ as_of() }})
    qualify row_number() over (partition by client_id order by valid_from desc, employee_id asc) = 1
)

select * from final
