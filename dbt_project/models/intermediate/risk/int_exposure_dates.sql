-- The days T on which clients are looked at: the first day of each quarter whose 90 days of outcome are over, and the clock itself,
-- for the list of present clients.
with months as (
    {{ month_series(ref('int_history'), 'history_starts_on', 'last_mature_month') }}
),

quarters as (
    select months.month as observed_on
    from months
    cross join {{ ref('int_history') }} as history
    where
        extract(month from months.month) in (1, 4, 7, 10)
        and months.month >= {{ days_after('history.history_starts_on', 90) }}
        and {{ days_after('months.month', 90) }} <= {{ as_of() }}
),

days as (
    select
        observed_on,
        true as is_mature
    from quarters

    union all

    select
        {{ as_of() }} as observed_on,
        false as is_mature
    where {{ as_of() }} is not null
),

final as (
    select
        observed_on,
        {{ days_after('observed_on', -90) }} as window_starts_on,
        {{ days_after('observed_on', 90) }} as outcome_known_on,
        {{ wall_time('cast(observed_on as timestamp)') }} as observed_at,
        {{ wall_time('cast(' ~ days_after('observed_on', -90) ~ ' as timestamp)') }} as window_starts_at,
        is_mature
    from days
)

select * from final
