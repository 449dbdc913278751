with movements as (
    select
        months.month,
        segments.segment,
        sum(months.opening_mrr) as opening_mrr,
        sum(case when months.movement = 'new' then months.mrr_change else 0 end) as new_mrr,
        sum(case when months.movement = 'returned' then months.mrr_change else 0 end) as returned_mrr,
        sum(case when months.movement = 'expansion' then months.mrr_change else 0 end) as expansion_mrr,
        sum(case when months.movement = 'contraction' then -months.mrr_change else 0 end) as contraction_mrr,
        sum(case when months.movement = 'churned' then -months.mrr_change else 0 end) as churned_mrr,
        sum(months.closing_mrr) as closing_mrr
    from {{ ref('int_client_months') }} as months
    inner join {{ ref('int_client_segments') }} as segments on months.client_id = segments.client_id
    group by all
),

years as (
    select
        years.month,
        segments.segment,
        sum(years.mrr_year_ago) as mrr_12m_ago,
        sum(least(years.mrr_now, years.mrr_year_ago)) as retained_mrr_12m,
        sum(years.mrr_now) as mrr_now_of_12m_ago
    from {{ ref('int_client_years') }} as years
    inner join {{ ref('int_client_segments') }} as segments on years.client_id = segments.client_id
    where years.mrr_year_ago > 0
    group by all
),

final as (
    select
        grid.month,
        grid.segment,
        {% for column in ['opening', 'new', 'returned', 'expansion', 'contraction', 'churned', 'closing'] %}
        cast(coalesce(movements.{{ column }}_mrr, 0) as decimal(18, 2)) as {{ column }}_mrr,
        {% endfor %}
        {% for column in ['mrr_12m_ago', 'retained_mrr_12m', 'mrr_now_of_12m_ago'] %}
        cast(case when grid.year_ago_on is not null then coalesce(years.{{ column }}, 0) end as decimal(18, 2)) as {{ column }},
        {% endfor %}
        grid.is_final,
        {{ as_of() }} as as_of
    from {{ ref('int_month_segments') }} as grid
    left join movements on grid.month = movements.month and grid.segment = movements.segment
    left join years on grid.month = years.month and grid.segment = years.segment
)

select * from final
