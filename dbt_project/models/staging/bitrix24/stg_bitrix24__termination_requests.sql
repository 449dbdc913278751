with requests as (
    select * from {{ source('landing', 'bitrix24__termination_requests') }}
),

renamed as (
    select
        id as request_key,
        {{ bitrix24_reference('companyId') }} as client_key,
        {{ bitrix24_instant('UF_CRM_1_REQUESTED_AT') }} as requested_at,
        {{ coded('stageId', {
            'DT1030_1:NEW': none,
            'DT1030_1:UC_RELEASED': 'released',
            'DT1030_1:UC_RETAINED': 'retained',
            'DT1030_1:UC_WITHDRAWN': 'withdrawn'
        }) }} as outcome,
        {{ bitrix24_instant('UF_CRM_1_COMPLETED_AT') }} as completed_at,
        -- A flag that nobody touched comes empty and means no.
        coalesce({{ bitrix24_flag('UF_CRM_1_BONUS_OFFERED') }}, 'false') as bonus_offered,
        UF_CRM_1_OBSTACLE as obstacle,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from requests
)

select * from renamed
