with summed as (
    select
        periods.event_on,
        periods.event_name,
        periods.metric,
        periods.period,
        -- Eleven months of a year would flatter or blame a programme by their season.
        count(months.month) = 12 and bool_and(months.is_known or months.month < periods.counted_from) as is_known,
        sum(case when months.month >= periods.counted_from then months.numerator else 0 end) as numerator,
        sum(case when months.month >= periods.counted_from then months.denominator else 0 end) as denominator
    from {{ ref('int_programme_periods') }} as periods
    left join {{ ref('int_programme_metrics') }} as months
        on periods.metric = months.metric and months.month between periods.first_month and periods.last_month
    group by periods.event_on, periods.event_name, periods.metric, periods.period
),

compared as (
    select
        event_on,
        event_name,
        metric,
        cast(max(case when period = 'before' and is_known then numerator end) as bigint) as before_numerator,
        cast(max(case when period = 'before' and is_known then denominator end) as bigint) as before_denominator,
        cast(max(case when period = 'after' and is_known then numerator end) as bigint) as after_numerator,
        cast(max(case when period = 'after' and is_known then denominator end) as bigint) as after_denominator
    from summed
    group by event_on, event_name, metric
),

final as (
    select
        event_on,
        event_name,
        metric,
        {{ share('before_numerator', 'before_denominator') }} as before,
        {{ share('after_numerator', 'after_denominator') }} as after,
        {{ share('after_numerator', 'after_denominator') }} - {{ share('before_numerator', 'before_denominator') }} as change,
        {{ newcombe('after_numerator', 'after_denominator', 'before_numerator', 'before_denominator', 'low') }} as ci_low,
        {{ newcombe('after_numerator', 'after_denominator', 'before_numerator', 'before_denominator', 'high') }} as ci_high,
        before_numerator,
        before_denominator,
        after_numerator,
        after_denominator,
        {{ as_of() }} as as_of
    from compared
)

select * from final
