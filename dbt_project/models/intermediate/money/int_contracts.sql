with contracts as (
    {{ rows_with_client('contracts') }}
),

final as (
    select
        contracts.source || ':' || contracts.contract_key as contract_id,
        contracts.client_id,
        contracts.plan,
        contracts.started_on,
        contracts.ended_on,
        contracts.end_reason,
        contracts.is_trial,
        {{ scaled_money(
            'contracts.price',
            exchange_rate('contracts.currency'),
            multiplier="case contracts.billing_period when 'week' then 52 else 1 end",
            divisor="case contracts.billing_period when 'week' then 12 when 'quarter' then 3 when 'year' then 12 else 1 end",
        ) }} as price_per_month,
        contracts.price > 0 and not contracts.is_trial as is_paid
    from contracts
    {{ join_exchange_rate('contracts.currency', 'contracts.started_on') }}
    where contracts.started_on < {{ as_of() }}
)

select * from final
