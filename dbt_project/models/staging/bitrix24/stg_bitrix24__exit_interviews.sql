with interviews as (
    select * from {{ source('landing', 'bitrix24__exit_interviews') }}
),

renamed as (
    select
        id as interview_key,
        {{ bitrix24_reference('companyId') }} as client_key,
        {{ bitrix24_instant('invited_at') }} as invited_at,
        {{ coded('channel', bitrix24_codes('exit_interviews', 'channel')) }} as channel,
        {{ bitrix24_instant('answered_at') }} as answered_at,
        {{ coded('reason_code', bitrix24_codes('exit_interviews', 'reason_code')) }} as reason_code,
        {{ bitrix24_flag('would_return') }} as would_return,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from interviews
)

select * from renamed
