with refunds as (
    {{ rows_with_client('refunds') }}
),

dated as (
    select
        *,
        {{ local_date('requested_at') }} as requested_on,
        {{ local_date('decided_at') }} as decided_on
    from refunds
),

final as (
    select
        dated.source || ':' || dated.refund_key as refund_id,
        dated.client_id,
        dated.requested_at,
        dated.requested_on,
        -- A decision without a date counts; one dated on or after the clock has not been taken yet.
        case when dated.decided_on is null or dated.decided_on < {{ as_of() }} then dated.decision end as decision,
        dated.decided_on,
        {{ scaled_money('dated.amount', exchange_rate('dated.currency')) }} as amount
    from dated
    {{ join_exchange_rate('dated.currency', 'coalesce(dated.decided_on, dated.requested_on)') }}
    where dated.requested_on < {{ as_of() }}
)

select * from final
