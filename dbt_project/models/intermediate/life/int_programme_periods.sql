-- The twelve months before the month of a dated event, and the twelve from the first whole month that lies after it.
with events as (
    select distinct
        event_on,
        event_name,
        {{ month_start('event_on', -12) }} as before_from,
        {{ month_start(days_after('event_on', -1), 1) }} as after_from
    from {{ ref('dated_events') }}
    where event_on < {{ as_of() }}
),

metrics as (
    select unnest([
        'churn_rate',
        'regretted_churn_rate',
        'annual_churn_rate',
        'return_rate_90',
        'first_100_days_churn',
        'first_response_attainment',
        'resolution_attainment'
    ]) as metric
),

periods as (
    select
        event_on,
        event_name,
        'before' as period,
        before_from as first_month,
        {{ months_after('before_from', 11) }} as last_month
    from events

    union all

    select
        event_on,
        event_name,
        'after' as period,
        after_from as first_month,
        {{ months_after('after_from', 11) }} as last_month
    from events
),

final as (
    select
        periods.*,
        metrics.metric,
        -- An annual rate is one number, that of the last month's closing edge; the others are sums over the months.
        case when metrics.metric = 'annual_churn_rate' then periods.last_month else periods.first_month end as counted_from
    from periods
    cross join metrics
)

select * from final
