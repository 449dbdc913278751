with events as (
    select
        events.source || ':' || events.event_key as event_id,
        tickets.ticket_id,
        tickets.client_id,
        events.kind,
        events.occurred_at,
        {{ local_date('events.occurred_at') }} as occurred_on,
        {{ business_clock('events.occurred_at', 'occurred_days') }} as occurred_clock,
        events.new_value
    from {{ ref('stg_canonical__ticket_events') }} as events
    inner join {{ ref('int_tickets') }} as tickets
        on events.source || ':' || events.ticket_key = tickets.ticket_id
    {{ join_business_day('events.occurred_at', 'occurred_days') }}
    where
        events.occurred_at >= tickets.opened_at
        and {{ local_date('events.occurred_at') }} < {{ as_of() }}
),

ordered as (
    select
        *,
        row_number() over (partition by ticket_id, kind order by occurred_at, event_id) as number_of_kind,
        lag(new_value) over (partition by ticket_id, kind order by occurred_at, event_id) as value_before,
        min(case when kind in ('solved', 'closed') then occurred_at end) over (partition by ticket_id) as first_resolved_at
    from events
),

final as (
    select
        event_id,
        ticket_id,
        client_id,
        kind,
        occurred_at,
        occurred_on,
        occurred_clock,
        -- A promise that was taken back is an empty value, and different from any date.
        kind = 'promise_changed' and number_of_kind > 1 and coalesce(new_value, '') <> coalesce(value_before, '') as is_promise_change,
        kind = 'reopened' and coalesce(occurred_at > first_resolved_at, false) as is_reopening
    from ordered
)

select * from final
