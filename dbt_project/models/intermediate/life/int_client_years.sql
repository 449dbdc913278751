-- Clients in at the edge twelve months before a month's closing edge, and where they are at the closing edge.
with year_ago as (
    select
        months.month,
        months.closing_on,
        states.client_id,
        states.mrr as mrr_year_ago
    from {{ ref('int_months') }} as months
    inner join {{ ref('int_client_mrr') }} as states on months.year_ago_on = states.day
),

last_exits as (
    select
        year_ago.client_id,
        year_ago.month,
        max_by(exits.exit_type, exits.ended_on) as exit_type
    from year_ago
    inner join {{ ref('int_exits') }} as exits
        on year_ago.client_id = exits.client_id and exits.ended_on <= year_ago.closing_on
    group by all
),

final as (
    select
        year_ago.client_id,
        year_ago.month,
        year_ago.mrr_year_ago,
        coalesce(present.mrr, 0) as mrr_now,
        present.client_id is null as is_churned,
        case when present.client_id is null then last_exits.exit_type end as exit_type
    from year_ago
    left join {{ ref('int_client_mrr') }} as present
        on year_ago.client_id = present.client_id and year_ago.closing_on = present.day
    left join last_exits on year_ago.client_id = last_exits.client_id and year_ago.month = last_exits.month
)

select * from final
