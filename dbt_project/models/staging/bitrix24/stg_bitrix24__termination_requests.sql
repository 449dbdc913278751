with requests as (
    select * from {{ source('landing', 'bitrix24__termination_requests') }}
),

renamed as (
    select
        id as request_key,
        {{ bitrix24_reference('companyId') }} as client_key,
        {{ bitrix24_instant('requested_at') }} as requested_at,
        {{ coded('stageId', bitrix24_codes('termination_requests', 'outcome')) }} as outcome,
        {{ bitrix24_instant('completed_at') }} as completed_at,
        -- A flag that nobody touched comes empty and means no.
        coalesce({{ bitrix24_flag('bonus_offered') }}, 'false') as bonus_offered,
        obstacle,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from requests
)

select * from renamed
