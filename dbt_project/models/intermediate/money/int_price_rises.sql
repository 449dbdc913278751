-- A paid contract that began dearer per month than the paid contract that it followed, which had ended at most the grace days before.
-- Of several that ended so, it followed the one that ended last.
with paid_contracts as (
    select * from {{ ref('int_contracts') }}
    where is_paid
),

followed as (
    select
        contracts.client_id,
        contracts.contract_id,
        contracts.started_on,
        predecessors.price_per_month as price_before,
        contracts.price_per_month as price_after
    from paid_contracts as contracts
    inner join paid_contracts as predecessors
        on
            contracts.client_id = predecessors.client_id
            and contracts.contract_id <> predecessors.contract_id
            and predecessors.ended_on >= {{ days_after('contracts.started_on', '-' ~ var('grace_days')) }}
            and predecessors.ended_on <= contracts.started_on
    qualify row_number() over (
        partition by contracts.contract_id
        order by predecessors.ended_on desc, predecessors.started_on desc, predecessors.contract_id desc
    ) = 1
),

final as (
    select *
    from followed
    where price_after > price_before
)

select * from final
