with fixes as (
    select * from {{ source('landing', 'bitrix24__reason_fixes') }}
),

departments as (
    {{ latest_landed(source('landing', 'bitrix24__departments'), ['ID']) }}
),

final as (
    select
        fixes.id as fix_key,
        {{ coded('fixes.UF_CRM_4_REASON', bitrix24_reasons()) }} as reason_code,
        departments.NAME as owner_department,
        {{ bitrix24_day('fixes.UF_CRM_4_PLANNED_ON') }} as planned_on,
        {{ bitrix24_day('fixes.UF_CRM_4_FIXED_ON') }} as fixed_on,
        {{ bitrix24_instant('fixes.updatedTime') }} as updated_at,
        fixes._load_id,
        fixes._row_number
    from fixes
    left join departments on fixes.UF_CRM_4_DEPARTMENT = departments.ID
)

select * from final
