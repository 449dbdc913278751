with members as (
    select
        spells.client_id,
        {{ month_start('spells.started_on') }} as cohort_month,
        segments.segment
    from {{ ref('int_spells') }} as spells
    inner join {{ ref('int_client_segments') }} as segments on spells.client_id = segments.client_id
    where spells.spell_number = 1
),

sizes as (
    select
        cohort_month,
        segment,
        count(*) as cohort_size
    from members
    group by all
),

cells as (
    select
        cohorts.month as cohort_month,
        cohorts.segment,
        months.month,
        months.closing_on,
        cast(date_diff('month', cohorts.month, months.month) as integer) as month_number
    from {{ ref('int_month_segments') }} as cohorts
    inner join {{ ref('int_months') }} as months on cohorts.month <= months.month
),

states as (
    select
        members.cohort_month,
        members.segment,
        mrr.day,
        count(*) as active_clients,
        count(case when mrr.spell_number = 1 then 1 end) as unbroken_clients,
        sum(mrr.mrr) as cohort_mrr
    from members
    inner join {{ ref('int_client_mrr') }} as mrr on members.client_id = mrr.client_id
    group by all
),

counted as (
    select
        cells.cohort_month,
        cells.segment,
        cells.month_number,
        coalesce(sizes.cohort_size, 0) as cohort_size,
        coalesce(states.active_clients, 0) as active_clients,
        coalesce(states.unbroken_clients, 0) as unbroken_clients,
        cast(coalesce(states.cohort_mrr, 0) as decimal(18, 2)) as cohort_mrr
    from cells
    left join sizes on cells.cohort_month = sizes.cohort_month and cells.segment = sizes.segment
    left join states
        on
            cells.cohort_month = states.cohort_month
            and cells.segment = states.segment
            and cells.closing_on = states.day
),

final as (
    select
        *,
        first_value(cohort_mrr) over (partition by cohort_month, segment order by month_number) as month0_mrr,
        {{ as_of() }} as as_of
    from counted
)

select * from final
