with mailings as (
    select * from {{ source('landing', 'bitrix24__mailings') }}
),

renamed as (
    select
        id as mailing_key,
        {{ bitrix24_reference('companyId') }} as client_key,
        {{ bitrix24_instant('sent_at') }} as sent_at,
        {{ bitrix24_instant('opened_at') }} as opened_at,
        {{ bitrix24_instant('unsubscribed_at') }} as unsubscribed_at,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from mailings
)

select * from renamed
