-- The list as it would have been made on each past quarter day, and what the clients on it did in the next 90 days.
with trained_days as (
    select distinct known_on
    from {{ ref('int_risk_weights') }}
    where exposures > 0
),

scores as (
    select
        scores.client_id,
        scores.observed_on,
        scores.is_churned,
        ntile(10) over (partition by scores.observed_on order by scores.score, scores.client_id) as decile
    from {{ ref('int_risk_scores') }} as scores
    inner join trained_days on scores.known_on = trained_days.known_on
    where scores.is_mature and scores.known_on = scores.observed_on
),

deciles as (
    select
        observed_on,
        decile,
        count(*) as clients,
        count(case when is_churned then 1 end) as churned
    from scores
    group by all
),

totalled as (
    select
        *,
        sum(clients) over (partition by observed_on) as all_clients,
        sum(churned) over (partition by observed_on) as all_churned,
        sum(clients) over (partition by observed_on order by decile desc) as listed_clients,
        sum(churned) over (partition by observed_on order by decile desc) as listed_churned
    from deciles
),

final as (
    select
        observed_on as quarter,
        cast(decile as integer) as decile,
        clients,
        churned,
        cast(churned as double) / clients as churn_rate,
        cast(all_churned as double) / all_clients as base_rate,
        case
            when all_churned > 0
                then cast(churned as double) * cast(all_clients as double) / (cast(clients as double) * cast(all_churned as double))
        end as lift,
        cast(listed_churned as double) / listed_clients as precision_at_decile,
        case when all_churned > 0 then cast(listed_churned as double) / all_churned end as recall_at_decile,
        {{ as_of() }} as as_of
    from totalled
)

select * from final
