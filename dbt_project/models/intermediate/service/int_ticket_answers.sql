-- The first answer to a ticket that a client opened: our first message by a human, or the resolution when that came before any.
with answers as (
    select
        ticket_id,
        sent_at as answered_at,
        sent_clock as answered_clock
    from {{ ref('int_ticket_messages') }}
    where is_ours

    union all

    select
        ticket_id,
        occurred_at as answered_at,
        occurred_clock as answered_clock
    from {{ ref('int_ticket_events') }}
    where kind in ('solved', 'closed')
),

final as (
    select
        answers.ticket_id,
        answers.answered_at,
        answers.answered_clock
    from answers
    inner join {{ ref('int_tickets') }} as tickets on answers.ticket_id = tickets.ticket_id
    where tickets.opened_by = 'client'
    qualify row_number() over (partition by answers.ticket_id order by answers.answered_at, answers.answered_clock) = 1
)

select * from final
