with payments as (
    select
        client_id,
        count(case when status = 'succeeded' then 1 end) as payments,
        sum(case when status = 'succeeded' then amount else 0 end) as paid,
        max(case when status = 'succeeded' then paid_on end) as last_paid_on,
        count(case when status = 'failed' then 1 end) as failed_payments
    from {{ ref('int_payments') }}
    group by all
),

refunds as (
    select
        client_id,
        count(*) as refunds_asked,
        count(case when decision = 'paid' then 1 end) as refunds_paid,
        count(case when decision = 'refused' then 1 end) as refunds_refused,
        sum(case when decision = 'paid' then amount else 0 end) as refunded_amount
    from {{ ref('int_refunds') }}
    group by all
),

invoice_lines as (
    select
        client_id,
        sum(case when kind = 'fee' then amount else 0 end) as fees,
        abs(sum(case when kind = 'discount' then amount else 0 end)) as discounts
    from {{ ref('int_invoice_lines') }}
    group by all
),

disputes as (
    select
        client_id,
        count(disputed_on) as disputes
    from {{ ref('int_invoices') }}
    group by all
),

feedback as (
    select
        client_id,
        count(case when kind = 'complaint' then 1 end) as complaints,
        -- Sums of decimals are exact in any order; a sum of doubles is not the same in every run.
        cast(sum(score) as double) / nullif(count(score), 0) as satisfaction_mean,
        count(score) as satisfaction_n
    from {{ ref('int_feedback') }}
    group by all
),

served as (
    select
        work.client_id,
        sum(case when work.activity = 'ticket' then work.pieces else 0 end) as tickets,
        sum(case when work.activity not in ('ticket', 'message') then work.pieces else 0 end) as contacts,
        sum(work.pieces * coalesce(costs.unit_cost, 0)) as cost_to_serve
    from {{ ref('int_served_work') }} as work
    left join {{ ref('unit_costs') }} as costs on work.activity = costs.activity
    group by all
),

joined as (
    select
        clients.client_id,
        clients.segment,
        states.status,
        states.first_started_on,
        states.tenure_days,
        states.spells,
        states.mrr,
        states.lifetime_revenue,
        coalesce(payments.payments, 0) as payments,
        payments.paid,
        payments.last_paid_on,
        coalesce(payments.failed_payments, 0) as failed_payments,
        coalesce(refunds.refunds_asked, 0) as refunds_asked,
        coalesce(refunds.refunds_paid, 0) as refunds_paid,
        coalesce(refunds.refunds_refused, 0) as refunds_refused,
        cast(coalesce(refunds.refunded_amount, 0) as decimal(18, 2)) as refunded_amount,
        cast(coalesce(invoice_lines.discounts, 0) as decimal(18, 2)) as discounts,
        cast(coalesce(invoice_lines.fees, 0) as decimal(18, 2)) as fees,
        coalesce(disputes.disputes, 0) as disputes,
        cast(coalesce(served.tickets, 0) as bigint) as tickets,
        coalesce(feedback.complaints, 0) as complaints,
        cast(coalesce(served.contacts, 0) as bigint) as contacts,
        feedback.satisfaction_mean,
        coalesce(feedback.satisfaction_n, 0) as satisfaction_n,
        cast(round(coalesce(served.cost_to_serve, 0), 2) as decimal(18, 2)) as cost_to_serve
    from {{ ref('int_clients') }} as clients
    inner join {{ ref('int_client_states') }} as states on clients.client_id = states.client_id
    left join payments on clients.client_id = payments.client_id
    left join refunds on clients.client_id = refunds.client_id
    left join invoice_lines on clients.client_id = invoice_lines.client_id
    left join disputes on clients.client_id = disputes.client_id
    left join feedback on clients.client_id = feedback.client_id
    left join served on clients.client_id = served.client_id
),

final as (
    select
        client_id,
        segment,
        status,
        first_started_on,
        tenure_days,
        spells,
        mrr,
        lifetime_revenue,
        payments,
        case
            when payments > 0
                then {{ scaled_money('cast(paid as decimal(18, 2))', 'cast(1 as decimal(18, 6))', divisor='payments') }}
        end as average_payment,
        case when tenure_days > 0 then payments / (tenure_days / cast(30.4375 as double)) end as payments_per_month,
        last_paid_on,
        failed_payments,
        refunds_asked,
        refunds_paid,
        refunds_refused,
        refunded_amount,
        discounts,
        fees,
        disputes,
        tickets,
        complaints,
        contacts,
        satisfaction_mean,
        satisfaction_n,
        cost_to_serve,
        cast(
            round({{ share_of_money('lifetime_revenue', var('margin_share')) }} - cost_to_serve, 2) as decimal(18, 2)
        ) as margin,
        {{ as_of() }} as as_of
    from joined
)

select * from final
