with interviews as (
    select * from {{ source('landing', 'bitrix24__exit_interviews') }}
),

renamed as (
    select
        id as interview_key,
        {{ bitrix24_reference('companyId') }} as client_key,
        {{ bitrix24_instant('UF_CRM_3_INVITED_AT') }} as invited_at,
        {{ coded('UF_CRM_3_CHANNEL', {'51': 'call', '52': 'email', '53': 'chat', '54': 'meeting'}) }} as channel,
        {{ bitrix24_instant('UF_CRM_3_ANSWERED_AT') }} as answered_at,
        {{ coded('UF_CRM_3_REASON', bitrix24_reasons()) }} as reason_code,
        {{ bitrix24_flag('UF_CRM_3_WOULD_RETURN') }} as would_return,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from interviews
)

select * from renamed
