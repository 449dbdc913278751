-- The calendar months in which a client was with us on any day, by full years since the month of the first start.
with firsts as (
    select
        client_id,
        started_on as first_started_on
    from {{ ref('int_spells') }}
    where spell_number = 1
),

present as (
    select distinct
        spells.client_id,
        months.month
    from {{ ref('int_months') }} as months
    inner join {{ ref('int_spells') }} as spells
        on spells.started_on <= months.closing_on and (spells.ended_on is null or spells.ended_on > months.month)
),

revenue as (
    select
        client_id,
        {{ month_start('received_on') }} as month,
        sum(amount) as revenue
    from {{ ref('int_revenue') }}
    group by all
),

final as (
    select
        present.client_id,
        present.month,
        -- Whole years: eleven months after the first one is still year 0.
        cast(floor({{ months_between(month_start('firsts.first_started_on'), 'present.month') }} / 12.0) as integer) as tenure_year,
        coalesce(revenue.revenue, 0) as revenue
    from present
    inner join firsts on present.client_id = firsts.client_id
    left join revenue on present.client_id = revenue.client_id and present.month = revenue.month
)

select * from final
