with prepaid_events as (
    {{ rows_with_client('prepaid_events') }}
),

dated as (
    select
        *,
        {{ local_date('occurred_at') }} as occurred_on
    from prepaid_events
),

final as (
    select
        dated.source || ':' || dated.event_key as prepaid_event_id,
        dated.client_id,
        dated.kind,
        dated.occurred_at,
        dated.occurred_on,
        {{ scaled_money('dated.amount', exchange_rate('dated.currency')) }} as amount,
        dated.amount > 0 as is_paid
    from dated
    {{ join_exchange_rate('dated.currency', 'dated.occurred_on') }}
    where dated.occurred_on < {{ as_of() }}
)

select * from final
