with mailings as (
    select * from {{ source('landing', 'bitrix24__mailings') }}
),

renamed as (
    select
        id as mailing_key,
        {{ bitrix24_reference('companyId') }} as client_key,
        {{ bitrix24_instant('UF_CRM_6_SENT_AT') }} as sent_at,
        {{ bitrix24_instant('UF_CRM_6_OPENED_AT') }} as opened_at,
        {{ bitrix24_instant('UF_CRM_6_UNSUBSCRIBED_AT') }} as unsubscribed_at,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from mailings
)

select * from renamed
