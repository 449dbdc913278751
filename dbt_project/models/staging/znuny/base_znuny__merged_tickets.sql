with tickets as (
    {{ latest_landed(source('landing', 'znuny__ticket'), ['id']) }}
),

states as (
    select * from {{ ref('base_znuny__states') }}
),

final as (
    select tickets.id as ticket_id
    from tickets
    inner join states on tickets.ticket_state_id = states.state_id
    where states.stage = 'merged'
)

select * from final
