-- Every date that a fact may have. A day outside the exceptions follows the regular week.
with days as (
    {{ day_series("date '1990-01-01'", as_of()) }}
),

hours as (
    select
        days.day,
        case
            when exceptions.day is not null
                then {{ second_of_day('exceptions.opens_at') }}
            when exceptions.day is null and {{ weekday('days.day') }} in ({{ working_day_numbers() }})
                then {{ second_of_day("cast('" ~ var('opens_at') ~ "' as time)") }}
        end as opens_second,
        case
            when exceptions.day is not null
                then {{ second_of_day('exceptions.closes_at') }}
            when exceptions.day is null and {{ weekday('days.day') }} in ({{ working_day_numbers() }})
                then {{ second_of_day("cast('" ~ var('closes_at') ~ "' as time)") }}
        end as closes_second
    from days
    left join {{ ref('calendar_exceptions') }} as exceptions on days.day = exceptions.day
),

-- A closed day opens and closes at its beginning, so that one formula serves all days.
intervals as (
    select
        day,
        case when closes_second > opens_second then opens_second else 0 end as opens_second,
        case when closes_second > opens_second then closes_second else 0 end as closes_second
    from hours
),

final as (
    select
        day,
        opens_second,
        closes_second,
        cast(coalesce(
            sum(closes_second - opens_second) over (order by day rows between unbounded preceding and 1 preceding), 0
        ) as bigint) * 1000000 as clock_at_start
    from intervals
)

select * from final
