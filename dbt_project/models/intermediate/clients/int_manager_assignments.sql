with assignments as (
    select
        client_key as client_id,
        employee_key as employee_id,
        valid_from,
        -- An end that lies ahead has not happened yet.
        case when valid_to < {{ as_of() }} then valid_to end as valid_to
    from {{ ref('stg_canonical__manager_assignments') }}
    where
        role = 'account_manager'
        and valid_from < {{ as_of() }}
        -- An assignment of somebody unknown, or to nobody we know, has lost its parent.
        and employee_key in (select employees.employee_id from {{ ref('int_employees') }} as employees)
        and client_key in (select clients.client_id from {{ ref('int_clients') }} as clients)
    qualify row_number() over (
        partition by client_key, employee_key, valid_from
        order by updated_at desc nulls last, source asc
    ) = 1
),

final as (
    select
        client_id,
        employee_id,
        valid_from,
        valid_to,
        valid_from > min(valid_from) over (partition by client_id) as is_change
    from assignments
)

select * from final
