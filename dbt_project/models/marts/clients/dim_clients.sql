with spells as (
    select
        client_id,
        min(started_on) as first_started_on,
        count(*) as spells,
        bool_or(ended_on is null) as is_active
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

payments as (
    select
        client_id,
        sum(amount) as paid
    from {{ ref('int_payments') }}
    where status = 'succeeded'
    group by all
),

refunds as (
    select
        client_id,
        sum(amount) as refunded
    from {{ ref('int_refunds') }}
    where decision = 'paid'
    group by all
),

final as (
    select
        clients.client_id,
        clients.segment,
        clients.size_band,
        clients.region,
        clients.acquisition_channel,
        managers.employee_id as manager_id,
        spells.first_started_on,
        case
            when spells.is_active then 'active'
            when last_exits.exit_type is not null then last_exits.exit_type
            else 'never_active'
        end as status,
        coalesce(spells.spells, 0) as spells,
        cast(coalesce(mrr.mrr, 0) as decimal(18, 2)) as mrr,
        cast(coalesce(payments.paid, 0) - coalesce(refunds.refunded, 0) as decimal(18, 2)) as lifetime_revenue,
        clients.is_in_crm,
        {{ as_of() }} as as_of
    from {{ ref('int_clients') }} as clients
    left join spells on clients.client_id = spells.client_id
    left join last_exits on clients.client_id = last_exits.client_id
    left join {{ ref('int_account_managers') }} as managers on clients.client_id = managers.client_id
    left join {{ ref('int_client_mrr') }} as mrr
        on clients.client_id = mrr.client_id and mrr.day = {{ days_after(as_of(), -1) }}
    left join payments on clients.client_id = payments.client_id
    left join refunds on clients.client_id = refunds.client_id
)

select * from final
