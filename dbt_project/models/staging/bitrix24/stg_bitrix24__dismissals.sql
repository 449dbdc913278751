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
            and landed.dismissed_at is not distinct from newest.dismissed_at
),

users as (
    select * from {{ ref('base_bitrix24__users') }}
),

final as (
    select
        {{ bitrix24_reference('dismissals.companyId') }} as client_key,
        {{ bitrix24_instant('dismissals.dismissed_at') }} as dismissed_at,
        {{ coded('dismissals.reason', bitrix24_codes('dismissals', 'reason')) }} as reason,
        users.employee_key as decided_by,
        {{ bitrix24_instant('dismissals.updatedTime') }} as updated_at,
        dismissals._load_id,
        dismissals._row_number
    from dismissals
    left join users on dismissals.decided_by = users.user_id
)

select * from final
