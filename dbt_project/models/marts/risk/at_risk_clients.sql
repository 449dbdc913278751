with scores as (
    select
        client_id,
        observed_on,
        score,
        ntile(10) over (order by score, client_id) as decile
    from {{ ref('int_risk_scores') }}
    where not is_mature
),

-- The last twentieth that begins at or before the client's place among the past exposures; the first one for a place before all.
placed as (
    select
        scores.client_id,
        max(twentieths.twentieth) as twentieth
    from scores
    inner join {{ ref('int_risk_twentieths') }} as twentieths
        on
            twentieths.twentieth = 1
            or twentieths.first_score < scores.score
            or (
                twentieths.first_score = scores.score
                and (
                    twentieths.first_client_id < scores.client_id
                    or (twentieths.first_client_id = scores.client_id and twentieths.first_observed_on <= scores.observed_on)
                )
            )
    group by all
),

final as (
    select
        scores.client_id,
        clients.segment,
        twentieths.probability as probability_90d,
        cast(scores.decile as integer) as decile,
        reasons.reason_1,
        reasons.reason_2,
        reasons.reason_3,
        reasons.missing_signals,
        cast(coalesce(mrr.mrr, 0) as decimal(18, 2)) as mrr,
        scores.score,
        {{ as_of() }} as as_of
    from scores
    inner join {{ ref('int_clients') }} as clients on scores.client_id = clients.client_id
    inner join {{ ref('int_risk_reasons') }} as reasons on scores.client_id = reasons.client_id
    left join placed on scores.client_id = placed.client_id
    left join {{ ref('int_risk_twentieths') }} as twentieths on placed.twentieth = twentieths.twentieth
    left join {{ ref('int_client_mrr') }} as mrr
        on scores.client_id = mrr.client_id and mrr.day = {{ days_after(as_of(), -1) }}
)

select * from final
