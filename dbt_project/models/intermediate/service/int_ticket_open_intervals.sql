-- Stretches in which a ticket was open: from its opening or a reopening to the next time it was solved or closed. Closing what is solved,
-- or reopening what is open, changes nothing.
with state_events as (
    select
        ticket_id,
        opened_at as occurred_at,
        opened_clock as occurred_clock,
        '' as event_id,
        true as is_open
    from {{ ref('int_tickets') }}

    union all

    select
        ticket_id,
        occurred_at,
        occurred_clock,
        event_id,
        kind = 'reopened' as is_open
    from {{ ref('int_ticket_events') }}
    where kind in ('solved', 'closed', 'reopened')
),

compared as (
    select
        *,
        lag(is_open) over (partition by ticket_id order by occurred_at, event_id) as was_open
    from state_events
),

changes as (
    select
        ticket_id,
        is_open,
        occurred_at as started_at,
        occurred_clock as started_clock,
        lead(occurred_at) over (partition by ticket_id order by occurred_at, event_id) as ended_at,
        lead(occurred_clock) over (partition by ticket_id order by occurred_at, event_id) as ended_clock
    from compared
    where is_open is distinct from was_open
),

final as (
    select
        ticket_id,
        row_number() over (partition by ticket_id order by started_at, ended_at nulls last) as interval_number,
        started_at,
        started_clock,
        ended_at,
        ended_clock
    from changes
    where is_open
)

select * from final
