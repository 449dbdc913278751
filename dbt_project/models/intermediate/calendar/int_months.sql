with months as (
    {{ month_series(ref('int_history'), 'history_starts_on', 'last_mature_month') }}
),

final as (
    select
        months.month,
        {{ days_after('months.month', -1) }} as opening_on,
        {{ month_end('months.month') }} as closing_on,
        case
            when {{ month_end(month_start('months.month', -12)) }} >= history.history_starts_on
                then {{ month_end(month_start('months.month', -12)) }}
        end as year_ago_on,
        {{ days_after(month_end('months.month'), var('grace_days')) }} < {{ as_of() }} as is_final
    from months
    cross join {{ ref('int_history') }} as history
)

select * from final
