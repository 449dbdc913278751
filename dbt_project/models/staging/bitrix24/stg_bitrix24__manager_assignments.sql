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
            and landed.UF_CRM_5_EMPLOYEE is not distinct from newest.UF_CRM_5_EMPLOYEE
            and landed.UF_CRM_5_ROLE is not distinct from newest.UF_CRM_5_ROLE
            and landed.UF_CRM_5_VALID_FROM is not distinct from newest.UF_CRM_5_VALID_FROM
),

users as (
    select * from {{ ref('base_bitrix24__users') }}
),

final as (
    select
        {{ bitrix24_reference('assignments.companyId') }} as client_key,
        users.employee_key,
        {{ coded('assignments.UF_CRM_5_ROLE', {'81': 'sales', '82': 'account_manager'}) }} as role,
        {{ bitrix24_day('assignments.UF_CRM_5_VALID_FROM') }} as valid_from,
        {{ bitrix24_day('assignments.UF_CRM_5_VALID_TO') }} as valid_to,
        {{ bitrix24_instant('assignments.updatedTime') }} as updated_at,
        assignments._load_id,
        assignments._row_number
    from assignments
    left join users on assignments.UF_CRM_5_EMPLOYEE = users.user_id
)

select * from final
