-- What each signal adds to the score of an exposure, weighed with what was known on a day: on T itself for the list made then, and on
-- the clock for the past exposures that probabilities are read from. A missing value adds nothing.
select
    known_days.observed_on as known_on,
    levels.client_id,
    levels.observed_on,
    levels.is_mature,
    levels.is_churned,
    levels.signal,
    levels.level,
    levels.is_missing,
    case when levels.is_missing then 0.0 else coalesce(weights.weight, 0.0) end as contribution
from {{ ref('int_signal_levels') }} as levels
inner join {{ ref('int_exposure_dates') }} as known_days
    on
        levels.observed_on = known_days.observed_on
        or (levels.is_mature and not known_days.is_mature)
left join {{ ref('int_risk_weights') }} as weights
    on
        known_days.observed_on = weights.known_on
        and levels.signal = weights.signal
        and levels.level = weights.level
