with first_managers as (
    select
        client_id,
        min(valid_from) as first_managed_on
    from {{ ref('int_manager_assignments') }}
    group by client_id
),

tickets as (
    select
        {{ month_start('tickets.opened_on') }} as month,
        tickets.sla_class,
        tickets.queue,
        responses.first_response_state,
        responses.resolution_state,
        responses.first_response_minutes,
        responses.resolution_minutes,
        responses.is_reopened,
        responses.first_resolved_clock is not null as is_solved,
        responses.first_resolved_clock - tickets.opened_clock as resolution_clock,
        managers.employee_id is not null as has_manager,
        tickets.opened_on < first_managers.first_managed_on as is_before_manager,
        tickets.opened_on >= first_managers.first_managed_on as is_after_manager
    from {{ ref('int_tickets') }} as tickets
    inner join {{ ref('int_ticket_responses') }} as responses on tickets.ticket_id = responses.ticket_id
    inner join {{ ref('int_history') }} as history on tickets.opened_on >= {{ month_start('history.history_starts_on') }}
    left join {{ ref('int_manager_periods') }} as managers
        on
            tickets.client_id = managers.client_id
            and tickets.opened_on >= managers.started_on
            and (managers.ended_on is null or tickets.opened_on < managers.ended_on)
    left join first_managers on tickets.client_id = first_managers.client_id
),

final as (
    select
        month,
        sla_class,
        queue,
        count(*) as tickets,
        count(case when first_response_state = 'met' then 1 end) as first_response_met,
        count(case when first_response_state = 'breached' then 1 end) as first_response_breached,
        count(case when resolution_state = 'met' then 1 end) as resolution_met,
        count(case when resolution_state = 'breached' then 1 end) as resolution_breached,
        count(first_response_minutes) as first_response_answered,
        median(first_response_minutes) as median_first_response_minutes,
        median(resolution_minutes) as median_resolution_minutes,
        count(case when is_reopened then 1 end) as reopened,
        count(case when is_solved then 1 end) as solved,
        -- Sums in whole microseconds, divided once: adding fractions would depend on their order.
        {% for split in ['has_manager', 'not has_manager', 'is_before_manager', 'is_after_manager'] %}
        {% set name = {
            'has_manager': 'with_manager',
            'not has_manager': 'without_manager',
            'is_before_manager': 'before_manager',
            'is_after_manager': 'after_manager',
        }[split] %}
        count(case when is_solved and {{ split }} then 1 end) as {{ name }}_solved,
        {{ business_minutes('coalesce(sum(case when is_solved and ' ~ split ~ ' then resolution_clock end), 0)') }} as {{ name }}_minutes,
        {% endfor %}
        {{ days_after(month_end('month'), var('grace_days')) }} < {{ as_of() }} as is_final,
        {{ as_of() }} as as_of
    from tickets
    group by month, sla_class, queue
)

select * from final
