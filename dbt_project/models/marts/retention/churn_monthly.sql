with client_months as (
    select
        segments.segment,
        months.*
    from {{ ref('int_client_months') }} as months
    inner join {{ ref('int_client_segments') }} as segments on months.client_id = segments.client_id
),

movements as (
    select
        month,
        segment,
        count(case when is_opening then 1 end) as opening_clients,
        count(case when movement = 'new' then 1 end) as new_clients,
        count(case when movement = 'returned' then 1 end) as returned_clients,
        count(case when is_churned then 1 end) as churned_clients,
        count(case when is_closing then 1 end) as closing_clients,
        {% for exit_type in ['released', 'lapsed', 'payment_failure', 'dismissed', 'dissolved'] %}
        count(case when exit_type = '{{ exit_type }}' then 1 end) as {{ exit_type }},
        {% endfor %}
        count(case when movement = 'joined_and_left' then 1 end) as joined_and_left
    from client_months
    group by all
),

years as (
    select
        years.month,
        segments.segment,
        count(*) as opening_12m,
        count(case when years.is_churned then 1 end) as churned_12m,
        count(case when years.is_churned and years.exit_type <> 'dismissed' then 1 end) as regretted_churned_12m
    from {{ ref('int_client_years') }} as years
    inner join {{ ref('int_client_segments') }} as segments on years.client_id = segments.client_id
    group by all
),

final as (
    select
        grid.month,
        grid.segment,
        coalesce(movements.opening_clients, 0) as opening_clients,
        coalesce(movements.new_clients, 0) as new_clients,
        coalesce(movements.returned_clients, 0) as returned_clients,
        coalesce(movements.churned_clients, 0) as churned_clients,
        coalesce(movements.closing_clients, 0) as closing_clients,
        coalesce(movements.churned_clients - movements.dismissed, 0) as regretted_churned_clients,
        coalesce(movements.released, 0) as released,
        coalesce(movements.lapsed, 0) as lapsed,
        coalesce(movements.payment_failure, 0) as payment_failure,
        coalesce(movements.dismissed, 0) as dismissed,
        coalesce(movements.dissolved, 0) as dissolved,
        coalesce(movements.joined_and_left, 0) as joined_and_left,
        -- A year before the first day of history is unknown, not zero.
        case when grid.year_ago_on is not null then coalesce(years.opening_12m, 0) end as opening_12m,
        case when grid.year_ago_on is not null then coalesce(years.churned_12m, 0) end as churned_12m,
        case when grid.year_ago_on is not null then coalesce(years.regretted_churned_12m, 0) end as regretted_churned_12m,
        grid.is_final,
        {{ as_of() }} as as_of
    from {{ ref('int_month_segments') }} as grid
    left join movements on grid.month = movements.month and grid.segment = movements.segment
    left join years on grid.month = years.month and grid.segment = years.segment
)

select * from final
