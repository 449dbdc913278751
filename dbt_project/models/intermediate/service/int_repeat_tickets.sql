-- The client had to come back: another ticket on the topic was opened before, at most 30 times 24 hours earlier.
with openings as (
    select distinct
        client_id,
        topic,
        opened_at
    from {{ ref('int_tickets') }}
    where topic is not null
),

-- Over distinct instants, because tickets of the same instant do not come after one another.
preceded as (
    select
        *,
        lag(opened_at) over (partition by client_id, topic order by opened_at) as opened_before
    from openings
),

final as (
    select tickets.ticket_id
    from {{ ref('int_tickets') }} as tickets
    inner join preceded
        on
            tickets.client_id = preceded.client_id
            and tickets.topic = preceded.topic
            and tickets.opened_at = preceded.opened_at
    where {{ hours_after('preceded.opened_before', 720) }} >= tickets.opened_at
)

select * from final
