with activities as (
    select * from {{ source('landing', 'bitrix24__activities') }}
),

users as (
    select * from {{ ref('base_bitrix24__users') }}
),

final as (
    select
        activities.ID as contact_key,
        activities.OWNER_ID as client_key,
        users.employee_key,
        -- 0 = no direction: meetings, which we hold.
        {{ coded('activities.DIRECTION', {'0': 'outbound', '1': 'inbound', '2': 'outbound'}) }} as direction,
        {{ coded('activities.TYPE_ID', {'1': 'meeting', '2': 'call', '4': 'email', '6': 'chat'}) }} as channel,
        -- Activities that were not made by the company's own scripts carry no purpose.
        coalesce(activities.ORIGIN_ID, 'other') as purpose,
        {{ bitrix24_instant('activities.START_TIME') }} as occurred_at,
        {{ bitrix24_instant('activities.LAST_UPDATED') }} as updated_at,
        activities._load_id,
        activities._row_number
    from activities
    left join users on activities.RESPONSIBLE_ID = users.user_id
    where activities.OWNER_TYPE_ID = '4'
)

select * from final
