with companies as (
    select * from {{ source('landing', 'bitrix24__companies') }}
),

renamed as (
    select
        id as client_key,
        title as name,
        segment,
        size_band,
        region,
        acquisition_channel,
        {{ bitrix24_instant('createdTime') }} as registered_at,
        {{ bitrix24_day('closed_on') }} as closed_at,
        {{ bitrix24_flag('marketing_consent') }} as marketing_consent,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from companies
)

select * from renamed
