with payments as (
    {{ rows_with_client('payments') }}
),

dated as (
    select
        *,
        {{ local_date('paid_at') }} as paid_on
    from payments
),

final as (
    select
        dated.source || ':' || dated.payment_key as payment_id,
        dated.client_id,
        dated.status,
        dated.paid_at,
        dated.paid_on,
        {{ scaled_money('dated.amount', exchange_rate('dated.currency')) }} as amount
    from dated
    {{ join_exchange_rate('dated.currency', 'dated.paid_on') }}
    where dated.paid_on < {{ as_of() }}
)

select * from final
