with releases as (
    select
        {{ month_start('releases.released_on') }} as month,
        windows.window_days,
        handlings.handling,
        segments.segment,
        {{ days_after('releases.released_on', 'windows.window_days') }} < {{ as_of() }} as is_mature,
        coalesce(releases.days_to_return <= windows.window_days, false) as has_returned
    from {{ ref('int_releases') }} as releases
    cross join {{ ref('int_return_windows') }} as windows
    inner join {{ ref('int_client_segments') }} as segments on releases.client_id = segments.client_id
    inner join {{ ref('int_handlings') }} as handlings on handlings.handling in (releases.handling, 'all')
),

counted as (
    select
        month,
        window_days,
        handling,
        segment,
        count(*) as releases,
        count(case when is_mature then 1 end) as mature_releases,
        count(case when is_mature and has_returned then 1 end) as returned
    from releases
    group by all
),

grid as (
    select
        months.month,
        windows.window_days,
        handlings.handling,
        months.segment,
        {{ days_after('months.closing_on', 'windows.window_days') }} < {{ as_of() }} as is_mature
    from {{ ref('int_month_segments') }} as months
    cross join {{ ref('int_return_windows') }} as windows
    cross join {{ ref('int_handlings') }} as handlings
),

final as (
    select
        grid.month,
        grid.window_days,
        grid.handling,
        grid.segment,
        coalesce(counted.releases, 0) as releases,
        coalesce(counted.mature_releases, 0) as mature_releases,
        -- While nothing of the month is mature, nobody can be said not to have returned.
        case when grid.is_mature or counted.mature_releases > 0 then coalesce(counted.returned, 0) end as returned,
        grid.is_mature,
        {{ as_of() }} as as_of
    from grid
    left join counted
        on
            grid.month = counted.month
            and grid.window_days = counted.window_days
            and grid.handling = counted.handling
            and grid.segment = counted.segment
)

select * from final
