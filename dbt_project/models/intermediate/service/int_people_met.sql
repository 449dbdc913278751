-- Known employees behind our messages and outbound contacts in the 90 days that end with the month.
with touches as (
    select
        client_id,
        employee_id,
        sent_on as day
    from {{ ref('int_ticket_messages') }}
    where is_ours and employee_id is not null

    union

    select
        client_id,
        employee_id,
        occurred_on as day
    from {{ ref('int_contacts') }}
    where is_outbound and employee_id is not null
),

final as (
    select
        months.month,
        touches.client_id,
        count(distinct touches.employee_id) as people_met
    from {{ ref('int_months') }} as months
    inner join touches
        on touches.day between {{ days_after('months.closing_on', -89) }} and months.closing_on
    group by all
)

select * from final
