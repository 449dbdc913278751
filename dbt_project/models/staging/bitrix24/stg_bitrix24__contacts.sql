{% set purposes = canonical_entities()['contacts']['codes']['purpose'] %}

with landed as (
    select * from {{ source('landing', 'bitrix24__activities') }}
),

-- A talk, a letter or a chat with a client. Tasks, reminders, forms and the like are activities too, and so is a call that is only
-- planned: what comes in has happened, what we hold when it is completed. A completed one may be opened again: the newest version says.
conversations as (
    select ID
    from ({{ latest_landed(source('landing', 'bitrix24__activities'), ['ID']) }}) as newest
    where
        OWNER_TYPE_ID = '4'
        and (TYPE_ID in ('1', '2', '4') or (TYPE_ID = '6' and PROVIDER_ID = 'IMOPENLINES_SESSION'))
        and (DIRECTION = '1' or COMPLETED = 'Y')
),

activities as (
    select landed.*
    from landed
    inner join conversations on landed.ID = conversations.ID
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
        -- The company's own scripts write the purpose; telephony and other applications keep numbers of their own there.
        case when activities.ORIGIN_ID in ({{ quoted_list(purposes) }}) then activities.ORIGIN_ID else 'other' end as purpose,
        {{ bitrix24_instant('activities.START_TIME') }} as occurred_at,
        {{ bitrix24_instant('activities.LAST_UPDATED') }} as updated_at,
        activities._load_id,
        activities._row_number
    from activities
    left join users on activities.RESPONSIBLE_ID = users.user_id
)

select * from final
