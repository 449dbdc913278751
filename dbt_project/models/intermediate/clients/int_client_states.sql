with spells as (
    select
        client_id,
        min(started_on) as first_started_on,
        count(*) as spells,
        bool_or(ended_on is null) as is_active,
        cast(sum({{ days_between('started_on', 'coalesce(ended_on, ' ~ as_of() ~ ')') }}) as bigint) as tenure_days
    from {{ ref('int_spells') }}
    group by all
),

last_exits as (
    select
        client_id,
        max_by(exit_type, spell_number) as exit_type
    from {{ ref('int_exits') }}
    group by all
),

revenue as (
    select
        client_id,
        sum(amount) as revenue
    from {{ ref('int_revenue') }}
    group by all
),

final as (
    select
        clients.client_id,
        spells.first_started_on,
        case
            when spells.is_active then 'active'
            when not coalesce(spells.is_active, false) and last_exits.exit_type is not null then last_exits.exit_type
            when not coalesce(spells.is_active, false) and last_exits.exit_type is null then 'never_active'
        end as status,
        coalesce(spells.spells, 0) as spells,
        coalesce(spells.tenure_days, 0) as tenure_days,
        cast(coalesce(mrr.mrr, 0) as decimal(18, 2)) as mrr,
        cast(coalesce(revenue.revenue, 0) as decimal(18, 2)) as lifetime_revenue
    from {{ ref('int_clients') }} as clients
    left join spells on clients.client_id = spells.client_id
    left join last_exits on clients.client_id = last_exits.client_id
    left join {{ ref('int_client_mrr') }} as mrr
        on clients.client_id = mrr.client_id and mrr.day = {{ days_after(as_of(), -1) }}
    left join revenue on clients.client_id = revenue.client_id
)

select * from final
