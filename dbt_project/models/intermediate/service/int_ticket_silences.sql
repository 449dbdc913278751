-- Each open interval is cut by our messages inside it; one outside of every open interval cuts nothing.
with beginnings as (
    select
        intervals.ticket_id,
        intervals.interval_number,
        intervals.started_at,
        intervals.started_clock,
        intervals.ended_at as interval_ended_at,
        intervals.ended_clock as interval_ended_clock
    from {{ ref('int_ticket_open_intervals') }} as intervals

    union all

    select distinct
        intervals.ticket_id,
        intervals.interval_number,
        messages.sent_at as started_at,
        messages.sent_clock as started_clock,
        intervals.ended_at as interval_ended_at,
        intervals.ended_clock as interval_ended_clock
    from {{ ref('int_ticket_open_intervals') }} as intervals
    inner join {{ ref('int_ticket_messages') }} as messages
        on
            intervals.ticket_id = messages.ticket_id
            and intervals.started_at < messages.sent_at
            and (intervals.ended_at is null or intervals.ended_at > messages.sent_at)
    where messages.is_ours
),

stretches as (
    select
        *,
        lead(started_at) over (partition by ticket_id, interval_number order by started_at) as next_started_at,
        lead(started_clock) over (partition by ticket_id, interval_number order by started_at) as next_started_clock
    from beginnings
),

final as (
    select
        stretches.ticket_id,
        tickets.client_id,
        stretches.started_at,
        stretches.started_clock,
        coalesce(stretches.next_started_at, stretches.interval_ended_at) as ended_at,
        coalesce(stretches.next_started_clock, stretches.interval_ended_clock) as ended_clock
    from stretches
    inner join {{ ref('int_tickets') }} as tickets on stretches.ticket_id = tickets.ticket_id
)

select * from final
