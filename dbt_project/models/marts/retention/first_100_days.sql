with starts as (
    select
        {{ month_start('spells.started_on') }} as month,
        segments.segment,
        count(*) as started,
        count(case when exits.tenure_days < 100 then 1 end) as churned_within_100
    from {{ ref('int_spells') }} as spells
    inner join {{ ref('int_client_segments') }} as segments on spells.client_id = segments.client_id
    left join {{ ref('int_exits') }} as exits
        on spells.client_id = exits.client_id and spells.spell_number = exits.spell_number
    where spells.spell_number = 1
    group by all
),

grid as (
    select
        month,
        segment,
        {{ days_after('closing_on', 100) }} <= {{ as_of() }} as is_mature
    from {{ ref('int_month_segments') }}
),

final as (
    select
        grid.month,
        grid.segment,
        coalesce(starts.started, 0) as started,
        case when grid.is_mature then coalesce(starts.churned_within_100, 0) end as churned_within_100,
        grid.is_mature,
        {{ as_of() }} as as_of
    from grid
    left join starts on grid.month = starts.month and grid.segment = starts.segment
)

select * from final
