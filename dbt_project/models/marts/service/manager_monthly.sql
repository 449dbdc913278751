with assigned as (
    select
        months.month,
        assignments.employee_id,
        count(distinct case
            when assignments.valid_to is null or assignments.valid_to > months.closing_on then assignments.client_id
        end) as clients
    from {{ ref('int_months') }} as months
    inner join {{ ref('int_manager_assignments') }} as assignments
        on
            assignments.valid_from <= months.closing_on
            and (assignments.valid_to is null or assignments.valid_to > months.month)
    group by all
),

contacts as (
    select
        {{ month_start('occurred_on') }} as month,
        employee_id,
        count(*) as contacts
    from {{ ref('int_contacts') }}
    group by all
),

tickets as (
    select
        {{ month_start('tickets.opened_on') }} as month,
        managers.employee_id,
        count(*) as tickets,
        median(responses.first_response_minutes) as median_first_response_minutes
    from {{ ref('int_tickets') }} as tickets
    inner join {{ ref('int_ticket_responses') }} as responses on tickets.ticket_id = responses.ticket_id
    inner join {{ ref('int_manager_periods') }} as managers
        on
            tickets.client_id = managers.client_id
            and tickets.opened_on >= managers.started_on
            and (managers.ended_on is null or tickets.opened_on < managers.ended_on)
    group by all
),

parts as (
    select
        {{ month_start('feedback.submitted_on') }} as month,
        managers.employee_id,
        {{ satisfaction_parts() }}
    from {{ ref('int_feedback') }} as feedback
    inner join {{ ref('int_manager_periods') }} as managers
        on
            feedback.client_id = managers.client_id
            and feedback.submitted_on >= managers.started_on
            and (managers.ended_on is null or feedback.submitted_on < managers.ended_on)
    group by all
),

final as (
    select
        assigned.month,
        assigned.employee_id,
        assigned.clients,
        coalesce(contacts.contacts, 0) as contacts,
        coalesce(tickets.tickets, 0) as tickets,
        tickets.median_first_response_minutes,
        {{ satisfaction_index('parts', 'weights') }} as satisfaction_index,
        {% for part in ['operator', 'review', 'survey'] %}
        coalesce(parts.{{ part }}_n, 0) as {{ part }}_n,
        {% endfor %}
        {{ as_of() }} as as_of
    from assigned
    cross join {{ ref('int_satisfaction_weights') }} as weights
    left join contacts on assigned.month = contacts.month and assigned.employee_id = contacts.employee_id
    left join tickets on assigned.month = tickets.month and assigned.employee_id = tickets.employee_id
    left join parts on assigned.month = parts.month and assigned.employee_id = parts.employee_id
)

select * from final
