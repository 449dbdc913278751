with states as (
    {{ latest_landed(source('landing', 'znuny__ticket_state'), ['id']) }}
),

state_types as (
    {{ latest_landed(source('landing', 'znuny__ticket_state_type'), ['id']) }}
),

final as (
    select
        states.id as state_id,
        states.name as state_name,
        case
            when state_types.name = 'closed' then 'closed'
            when state_types.name = 'merged' then 'merged'
            -- "pending auto close": solved, and closed by itself unless the client objects.
            when state_types.name = 'pending auto' then 'solved'
            when state_types.name in ('new', 'open', 'pending reminder') then 'open'
            else 'other'
        end as stage
    from states
    left join state_types on states.type_id = state_types.id
)

select * from final
