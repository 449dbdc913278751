with resolved as (
    select
        ticket_id,
        occurred_at,
        occurred_clock,
        row_number() over (partition by ticket_id order by occurred_at, event_id) as number_from_first,
        row_number() over (partition by ticket_id order by occurred_at desc, event_id desc) as number_from_last
    from {{ ref('int_ticket_events') }}
    where kind in ('solved', 'closed')
),

final as (
    select
        ticket_id,
        max(case when number_from_first = 1 then occurred_at end) as first_resolved_at,
        max(case when number_from_first = 1 then occurred_clock end) as first_resolved_clock,
        max(case when number_from_last = 1 then occurred_clock end) as last_resolved_clock
    from resolved
    group by ticket_id
)

select * from final
