{% set promised_date = znuny_mapping('dynamic_fields').get('promised_date') or '' %}

with history as (
    select * from {{ source('landing', 'znuny__ticket_history') }}
),

history_types as (
    {{ latest_landed(source('landing', 'znuny__ticket_history_type'), ['id']) }}
),

states as (
    select * from {{ ref('base_znuny__states') }}
),

users as (
    select * from {{ ref('base_znuny__users') }}
),

parsed as (
    select
        history.*,
        history_types.name as history_type,
        states.stage,
        -- %%<old state>%%<new state>%%
        case when history_types.name = 'StateUpdate' then split_part(history.name, '%%', 2) end as old_state_name,
        case when history_types.name = 'TicketDynamicFieldUpdate' then split_part(history.name, '%%', 3) end as field_name,
        -- %%FieldName%%PromisedDate%%Value%%2024-05-06 00:00:00%%OldValue%%...
        case
            when history_types.name = 'TicketDynamicFieldUpdate'
                then nullif(substr(split_part(history.name, '%%', 5), 1, 10), '')
        end as promised_on
    from history
    inner join history_types on history.history_type_id = history_types.id
    left join states on history.state_id = states.state_id
),

kinds as (
    select
        parsed.*,
        case
            when parsed.history_type = 'OwnerUpdate' then 'owner_changed'
            when parsed.field_name = '{{ promised_date }}' then 'promise_changed'
            when parsed.history_type in ('NewTicket', 'StateUpdate') and parsed.stage = 'closed' then 'closed'
            when parsed.history_type in ('NewTicket', 'StateUpdate') and parsed.stage = 'solved' then 'solved'
            when parsed.history_type = 'StateUpdate' and parsed.stage = 'open' and old_states.stage in ('closed', 'solved') then 'reopened'
        end as kind
    from parsed
    left join states as old_states on parsed.old_state_name = old_states.state_name
),

final as (
    select
        kinds.id as event_key,
        kinds.ticket_id as ticket_key,
        kinds.kind,
        -- The new owner of a change of owner; else whoever did it.
        case when kinds.kind = 'owner_changed' then owners.employee_key else creators.employee_key end as employee_key,
        {{ znuny_instant('kinds.create_time') }} as occurred_at,
        kinds.promised_on as new_value,
        {{ znuny_instant('kinds.change_time') }} as updated_at,
        kinds._load_id,
        kinds._row_number
    from kinds
    left join users as owners on kinds.owner_id = owners.user_id
    left join users as creators on kinds.create_by = creators.user_id
    -- Other changes of state are not events of the contract.
    where
        kinds.kind is not null
        and kinds.ticket_id not in (select left_out.ticket_id from {{ ref('base_znuny__left_out_tickets') }} as left_out)
)

select * from final
