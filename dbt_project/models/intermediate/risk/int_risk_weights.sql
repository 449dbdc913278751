-- What was known of each level on a day: exposures whose outcome had been seen by then, the risk relative to the reference level, and the
-- weight that this gives the level in a score.
{% set tau_squared = '0.25' %}
with known_days as (
    select observed_on as known_on
    from {{ ref('int_exposure_dates') }}
),

counted as (
    select
        known_days.known_on,
        levels.signal,
        levels.level,
        count(*) as exposures,
        count(case when levels.is_churned then 1 end) as churned
    from known_days
    inner join {{ ref('int_signal_levels') }} as levels
        on levels.is_mature and levels.outcome_known_on <= known_days.known_on
    group by all
),

-- Every level has a row on every day, also one that nobody had reached.
grid as (
    select
        known_days.known_on,
        seed.signal,
        seed.level,
        seed.lower_bound,
        seed.is_reference,
        coalesce(counted.exposures, 0) as exposures,
        coalesce(counted.churned, 0) as churned
    from known_days
    cross join {{ ref('driver_levels') }} as seed
    left join counted
        on known_days.known_on = counted.known_on and seed.signal = counted.signal and seed.level = counted.level
),

compared as (
    select
        grid.*,
        reference_levels.level as reference_level,
        reference_levels.exposures as reference_exposures,
        reference_levels.churned as reference_churned,
        case when grid.exposures > 0 then cast(grid.churned as double) / grid.exposures end as churn_rate,
        -- All four cells are needed: who left and who stayed, on the level and on the reference.
        not grid.is_reference
        and grid.churned > 0
        and grid.churned < grid.exposures
        and reference_levels.churned > 0
        and reference_levels.churned < reference_levels.exposures as has_interval
    from grid
    inner join grid as reference_levels
        on grid.known_on = reference_levels.known_on and grid.signal = reference_levels.signal and reference_levels.is_reference
),

measured as (
    select
        *,
        case
            when exposures > 0 and reference_churned > 0
                then cast(churned as double) * reference_exposures / (cast(exposures as double) * reference_churned)
        end as relative_risk,
        case
            when has_interval
                then 1.0 / churned - 1.0 / exposures + 1.0 / reference_churned - 1.0 / reference_exposures
        end as log_variance,
        exposures < 30 as is_small
    from compared
),

final as (
    select
        known_on,
        signal,
        level,
        lower_bound,
        is_reference,
        exposures,
        churned,
        churn_rate,
        reference_level,
        relative_risk,
        log_variance,
        is_small,
        case
            when has_interval and not is_small
                then ln(relative_risk) * {{ tau_squared }} / ({{ tau_squared }} + log_variance)
            else 0.0
        end as weight
    from measured
)

select * from final
