{% set contact_days = 14 %}
with starts as (
    select
        {{ month_start('handovers.started_on') }} as month,
        segments.segment,
        count(*) as started,
        median(cast(handovers.days_to_contact as double)) as median_days_to_contact,
        count(case when not coalesce(handovers.days_to_contact <= {{ contact_days }}, false) then 1 end) as without_contact_14d,
        count(case when handovers.is_welcome_due then 1 end) as welcome_due,
        count(case when handovers.is_welcome_due and handovers.is_welcomed then 1 end) as welcome_done
    from {{ ref('int_handovers') }} as handovers
    inner join {{ ref('int_client_segments') }} as segments on handovers.client_id = segments.client_id
    group by all
),

grid as (
    select
        month,
        segment,
        {{ days_after('closing_on', 45) }} < {{ as_of() }} as is_mature
    from {{ ref('int_month_segments') }}
),

final as (
    select
        grid.month,
        grid.segment,
        coalesce(starts.started, 0) as started,
        case when grid.is_mature then starts.median_days_to_contact end as median_days_to_contact,
        {% for column in ['without_contact_14d', 'welcome_due', 'welcome_done'] %}
        case when grid.is_mature then coalesce(starts.{{ column }}, 0) end as {{ column }},
        {% endfor %}
        grid.is_mature,
        {{ as_of() }} as as_of
    from grid
    left join starts on grid.month = starts.month and grid.segment = starts.segment
)

select * from final
