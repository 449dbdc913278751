with landed as (
    select * from {{ source('landing', 'bitrix24__dismissals') }}
),

-- The key of the contract is made of fields that can be corrected. Versions under a corrected key are no dismissal any more.
newest as (
    {{ latest_landed(source('landing', 'bitrix24__dismissals'), ['id']) }}
),

dismissals as (
    select landed.*
    from landed
    inner join newest
        on
            landed.id = newest.id
            and landed.companyId is not distinct from newest.companyId
            and landed.UF_CRM_2_DISMISSED_AT is not distinct from newest.UF_CRM_2_DISMISSED_AT
),

users as (
    select * from {{ ref('base_bitrix24__users') }}
),

final as (
    select
        {{ bitrix24_reference('dismissals.companyId') }} as client_key,
        {{ bitrix24_instant('dismissals.UF_CRM_2_DISMISSED_AT') }} as dismissed_at,
        {{ coded('dismissals.UF_CRM_2_REASON', {
            '41': 'illegal_use', '42': 'abuse', '43': 'blackmail', '44': 'unprofitable'
        }) }} as reason,
        users.employee_key as decided_by,
        {{ bitrix24_instant('dismissals.updatedTime') }} as updated_at,
        dismissals._load_id,
        dismissals._row_number
    from dismissals
    left join users on dismissals.UF_CRM_2_DECIDED_BY = users.user_id
)

select * from final
