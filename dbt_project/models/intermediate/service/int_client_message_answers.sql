with compared as (
    select
        *,
        -- Backwards in time, and our messages last among equals: what went before is strictly later and ours.
        min(case when is_ours then sent_at end) over (
            partition by ticket_id
            order by sent_at desc, is_ours asc
            rows between unbounded preceding and 1 preceding
        ) as answered_at
    from {{ ref('int_ticket_messages') }}
),

final as (
    select
        message_id,
        ticket_id,
        client_id,
        sent_at,
        sent_on,
        sent_clock,
        answered_at
    from compared
    where author = 'client'
)

select * from final
