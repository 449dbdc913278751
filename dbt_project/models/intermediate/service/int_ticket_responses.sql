with reopenings as (
    select distinct ticket_id
    from {{ ref('int_ticket_events') }}
    where is_reopening
),

timed as (
    select
        tickets.ticket_id,
        tickets.client_id,
        tickets.opened_on,
        tickets.opened_by,
        tickets.opened_clock,
        answers.answered_clock as first_response_clock,
        resolutions.first_resolved_at,
        resolutions.first_resolved_clock,
        resolutions.last_resolved_clock,
        targets.first_response_target_minutes,
        targets.resolution_target_minutes,
        -- What is still open has taken the time up to the clock so far.
        coalesce(answers.answered_clock, clock.as_of_clock) - tickets.opened_clock as first_response_so_far,
        coalesce(resolutions.first_resolved_clock, clock.as_of_clock) - tickets.opened_clock as resolution_so_far,
        cast(targets.first_response_target_minutes as bigint) * 60000000 as first_response_target,
        cast(targets.resolution_target_minutes as bigint) * 60000000 as resolution_target,
        reopenings.ticket_id is not null as is_reopened
    from {{ ref('int_tickets') }} as tickets
    cross join {{ ref('int_as_of_clock') }} as clock
    left join {{ ref('int_ticket_answers') }} as answers on tickets.ticket_id = answers.ticket_id
    left join {{ ref('int_ticket_resolutions') }} as resolutions on tickets.ticket_id = resolutions.ticket_id
    left join {{ ref('int_sla_targets') }} as targets on tickets.sla_class = targets.sla_class
    left join reopenings on tickets.ticket_id = reopenings.ticket_id
),

final as (
    select
        ticket_id,
        client_id,
        opened_on,
        first_response_clock,
        first_resolved_at,
        first_resolved_clock,
        last_resolved_clock,
        first_response_target_minutes,
        resolution_target_minutes,
        {{ business_minutes('first_response_clock - opened_clock') }} as first_response_minutes,
        {{ business_minutes('first_resolved_clock - opened_clock') }} as resolution_minutes,
        {{ business_minutes('last_resolved_clock - opened_clock') }} as last_resolution_minutes,
        case
            when opened_by = 'client' and first_response_so_far > first_response_target then 'breached'
            when opened_by = 'client' and first_response_so_far <= first_response_target and first_response_clock is not null then 'met'
        end as first_response_state,
        case
            when resolution_so_far > resolution_target then 'breached'
            when resolution_so_far <= resolution_target and first_resolved_clock is not null then 'met'
        end as resolution_state,
        is_reopened
    from timed
)

select * from final
