-- Twentieths of the scores of all past exposures, and the share that left in each, made to rise with the score: neighbours that fall
-- are pooled. (The pooled rate is the greatest over all beginnings of the least over all ends of the rate between them.)
with ranked as (
    select
        client_id,
        observed_on,
        score,
        is_churned,
        ntile(20) over (order by score, client_id, observed_on) as twentieth,
        row_number() over (order by score, client_id, observed_on) as position
    from {{ ref('int_risk_scores') }}
    where is_mature and known_on = {{ as_of() }}
),

twentieths as (
    select
        twentieth,
        count(*) as exposures,
        count(case when is_churned then 1 end) as churned,
        min_by(score, position) as first_score,
        min_by(client_id, position) as first_client_id,
        min_by(observed_on, position) as first_observed_on
    from ranked
    group by all
),

between_twentieths as (
    select
        beginnings.twentieth as first_twentieth,
        ends.twentieth as last_twentieth,
        sum(cast(inside.churned as double)) / sum(inside.exposures) as churn_rate
    from twentieths as beginnings
    inner join twentieths as ends on beginnings.twentieth <= ends.twentieth
    inner join twentieths as inside on inside.twentieth between beginnings.twentieth and ends.twentieth
    group by all
),

least_over_ends as (
    select
        twentieths.twentieth,
        spans.first_twentieth,
        min(spans.churn_rate) as churn_rate
    from twentieths
    inner join between_twentieths as spans
        on twentieths.twentieth between spans.first_twentieth and spans.last_twentieth
    group by all
),

pooled as (
    select
        twentieth,
        max(churn_rate) as probability
    from least_over_ends
    group by all
),

final as (
    select
        twentieths.*,
        pooled.probability
    from twentieths
    inner join pooled on twentieths.twentieth = pooled.twentieth
)

select * from final
