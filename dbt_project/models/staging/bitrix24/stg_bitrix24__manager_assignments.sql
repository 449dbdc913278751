with landed as (
    select * from {{ source('landing', 'bitrix24__manager_assignments') }}
),

-- The key of the contract is made of fields that can be corrected. Versions under a corrected key are no assignment any more.
newest as (
    {{ latest_landed(source('landing', 'bitrix24__manager_assignments'), ['id']) }}
),

assignments as (
    select landed.*
    from landed
    inner join newest
        on
            landed.id = newest.id
            and landed.companyId is not distinct from newest.companyId
            and landed.employee is not distinct from newest.employee
            and landed.role is not distinct from newest.role
            and landed.valid_from is not distinct from newest.valid_from
),

users as (
    select * from {{ ref('base_bitrix24__users') }}
),

final as (
    select
        {{ bitrix24_reference('assignments.companyId') }} as client_key,
        users.employee_key,
        {{ coded('assignments.role', bitrix24_codes('manager_assignments', 'role')) }} as role,
        {{ bitrix24_day('assignments.valid_from') }} as valid_from,
        {{ bitrix24_day('assignments.valid_to') }} as valid_to,
        {{ bitrix24_instant('assignments.updatedTime') }} as updated_at,
        assignments._load_id,
        assignments._row_number
    from assignments
    left join users on assignments.employee = users.user_id
)

select * from final
