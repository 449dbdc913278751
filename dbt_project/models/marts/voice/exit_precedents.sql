{% set kinds = ['fee', 'price_rise', 'dispute', 'refusal', 'upsell', 'unsubscription'] %}
with exits as (
    select
        {{ month_start('precedents.ended_on') }} as month,
        segments.segment,
        count(*) as exits,
        {% for kind in kinds %}
        count(case when precedents.has_{{ kind }} then 1 end) as with_{{ kind }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('int_exit_precedents') }} as precedents
    inner join {{ ref('int_client_segments') }} as segments on precedents.client_id = segments.client_id
    group by all
),

final as (
    select
        grid.month,
        grid.segment,
        coalesce(exits.exits, 0) as exits,
        {% for kind in kinds %}
        coalesce(exits.with_{{ kind }}, 0) as with_{{ kind }},
        {% endfor %}
        {{ as_of() }} as as_of
    from {{ ref('int_month_segments') }} as grid
    left join exits on grid.month = exits.month and grid.segment = exits.segment
)

select * from final
