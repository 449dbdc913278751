with tickets as (
    {{ latest_landed(source('landing', 'znuny__ticket'), ['id']) }}
),

states as (
    select * from {{ ref('base_znuny__states') }}
),

final as (
    select tickets.id as ticket_id
    from tickets
    left join states on tickets.ticket_state_id = states.state_id
    where
        states.stage = 'merged'
        -- Of somebody whom nobody knows as a client, spam above all. When an agent says whose it is, it counts.
        or nullif(tickets.customer_id, '') is null
)

select * from final
