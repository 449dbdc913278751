with mature as (
    select
        windows.window_days,
        releases.dimension,
        releases.level,
        count(*) as mature_releases,
        count(case when releases.days_to_return <= windows.window_days then 1 end) as returned
    from {{ ref('int_release_dimensions') }} as releases
    cross join {{ ref('int_return_windows') }} as windows
    where {{ days_after('releases.released_on', 'windows.window_days') }} < {{ as_of() }}
    group by all
),

final as (
    select
        window_days,
        dimension,
        level,
        mature_releases,
        returned,
        cast(returned as double) / mature_releases as return_rate,
        {{ wilson('returned', 'mature_releases', 'low') }} as ci_low,
        {{ wilson('returned', 'mature_releases', 'high') }} as ci_high,
        {{ as_of() }} as as_of
    from mature
)

select * from final
