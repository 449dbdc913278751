-- MRR of a client on a day inside a spell: covering contracts, and the prepaid use of the last calendar month that had ended by then.
with contract_mrr as (
    select
        days.client_id,
        days.day,
        sum(covers.price_per_month) as mrr
    from {{ ref('int_valued_days') }} as days
    inner join {{ ref('int_covers') }} as covers
        on
            days.client_id = covers.client_id
            and covers.cover_kind = 'contract'
            and days.day >= covers.starts_on
            and (covers.effective_end is null or days.day < covers.effective_end)
    group by all
),

final as (
    select
        days.client_id,
        days.spell_number,
        days.day,
        cast(coalesce(contract_mrr.mrr, 0) + coalesce(prepaid.used, 0) as decimal(18, 2)) as mrr
    from {{ ref('int_valued_days') }} as days
    left join contract_mrr on days.client_id = contract_mrr.client_id and days.day = contract_mrr.day
    left join {{ ref('int_prepaid_use_monthly') }} as prepaid
        on
            days.client_id = prepaid.client_id
            -- The month whose last day is the day itself, or the one before.
            and prepaid.month = {{ month_start(days_after('days.day', 1), -1) }}
)

select * from final
