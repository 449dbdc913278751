with companies as (
    select * from {{ source('landing', 'bitrix24__companies') }}
),

renamed as (
    select
        id as client_key,
        title as name,
        UF_CRM_SEGMENT as segment,
        UF_CRM_SIZE_BAND as size_band,
        UF_CRM_REGION as region,
        UF_CRM_CHANNEL as acquisition_channel,
        {{ bitrix24_instant('createdTime') }} as registered_at,
        {{ bitrix24_day('UF_CRM_CLOSED_ON') }} as closed_at,
        {{ bitrix24_flag('UF_CRM_CONSENT') }} as marketing_consent,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from companies
)

select * from renamed
