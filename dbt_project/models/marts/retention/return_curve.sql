-- Kaplan-Meier estimate of the time from release to return, with the log-log (Greenwood) 95 % band.
with waits as (
    select
        dimension,
        level,
        observed_days,
        is_return_observed
    from {{ ref('int_release_dimensions') }}
    where observed_days >= 0
),

last_days as (
    select
        dimension,
        level,
        max(observed_days) as last_day
    from waits
    group by all
),

days as (
    {{ number_series('last_days', 'last_day', ['dimension', 'level']) }}
),

ends as (
    select
        dimension,
        level,
        observed_days as day,
        count(*) as ended,
        count(case when is_return_observed then 1 end) as returned
    from waits
    group by all
),

counted as (
    select
        days.dimension,
        days.level,
        cast(days.number as integer) as day,
        cast(coalesce(sum(ends.ended) over (
            partition by days.dimension, days.level
            order by days.number desc
            rows between unbounded preceding and current row
        ), 0) as bigint) as at_risk,
        coalesce(ends.returned, 0) as returned
    from days
    left join ends on days.dimension = ends.dimension and days.level = ends.level and days.number = ends.day
),

estimated as (
    select
        *,
        max(case when returned = at_risk then 1 else 0 end) over days_so_far = 1 as is_exhausted,
        sum(case when returned < at_risk then ln(1 - cast(returned as double) / at_risk) else 0 end) over days_so_far as log_survival,
        sum(
            case when returned < at_risk then cast(returned as double) / (cast(at_risk as double) * (at_risk - returned)) else 0 end
        ) over days_so_far as greenwood
    from counted
    where at_risk >= greatest({{ var('min_at_risk') }}, 1)
    window days_so_far as (partition by dimension, level order by day rows between unbounded preceding and current row)
),

final as (
    select
        dimension,
        level,
        day,
        at_risk,
        returned,
        case when is_exhausted then 1.0 else 1 - exp(log_survival) end as cumulative_return,
        -- The band has no meaning at 0 and 1. The lower bound of the return is the upper bound of the survival.
        {% for column, sign in [('ci_low', '-'), ('ci_high', '+')] %}
        case
            when not is_exhausted and log_survival < 0
                then 1 - exp(log_survival * exp({{ sign }}1.959963984540054 * sqrt(greenwood) / abs(log_survival)))
        end as {{ column }},
        {% endfor %}
        {{ as_of() }} as as_of
    from estimated
)

select * from final
