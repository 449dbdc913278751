with fixes as (
    select * from {{ source('landing', 'bitrix24__reason_fixes') }}
),

departments as (
    {{ latest_landed(source('landing', 'bitrix24__departments'), ['ID']) }}
),

final as (
    select
        fixes.id as fix_key,
        {{ coded('fixes.reason_code', bitrix24_codes('reason_fixes', 'reason_code')) }} as reason_code,
        departments.NAME as owner_department,
        {{ bitrix24_day('fixes.planned_on') }} as planned_on,
        {{ bitrix24_day('fixes.fixed_on') }} as fixed_on,
        {{ bitrix24_instant('fixes.updatedTime') }} as updated_at,
        fixes._load_id,
        fixes._row_number
    from fixes
    left join departments on fixes.owner_department = departments.ID
)

select * from final
