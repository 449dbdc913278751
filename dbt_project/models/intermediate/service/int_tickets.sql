with tickets as (
    {{ rows_with_client('tickets') }}
),

final as (
    select
        tickets.source || ':' || tickets.ticket_key as ticket_id,
        tickets.client_id,
        tickets.queue,
        tickets.topic,
        tickets.sla_class,
        tickets.opened_by,
        tickets.opened_at,
        {{ local_date('tickets.opened_at') }} as opened_on,
        {{ business_clock('tickets.opened_at', 'opened_days') }} as opened_clock
    from tickets
    {{ join_business_day('tickets.opened_at', 'opened_days') }}
    where {{ local_date('tickets.opened_at') }} < {{ as_of() }}
)

select * from final
