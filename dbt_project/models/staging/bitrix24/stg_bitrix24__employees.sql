with users as (
    select * from {{ source('landing', 'bitrix24__users') }}
),

departments as (
    {{ latest_landed(source('landing', 'bitrix24__departments'), ['ID']) }}
),

keys as (
    select * from {{ ref('base_bitrix24__users') }}
),

-- [4, 7]: the first department is the main one.
placed as (
    select
        users.*,
        trim(split_part(replace(replace(UF_DEPARTMENT, '[', ''), ']', ''), ',', 1)) as department_id
    from users
),

heads as (
    select distinct UF_HEAD as user_id
    from departments
),

final as (
    select
        keys.employee_key,
        trim(concat(coalesce(placed.NAME, ''), ' ', coalesce(placed.LAST_NAME, ''))) as full_name,
        departments.NAME as department,
        heads.user_id is not null as is_head,
        {{ bitrix24_day('placed.UF_EMPLOYMENT_DATE') }} as active_from,
        {{ bitrix24_day('placed.left_on') }} as active_to,
        {{ bitrix24_instant('placed.TIMESTAMP_X') }} as updated_at,
        placed._load_id,
        placed._row_number
    from placed
    inner join keys on placed.ID = keys.user_id
    left join departments on placed.department_id = departments.ID
    left join heads on placed.ID = heads.user_id
)

select * from final
