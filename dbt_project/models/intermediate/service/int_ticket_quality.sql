with promises as (
    select
        ticket_id,
        count(*) as promise_changes
    from {{ ref('int_ticket_events') }}
    where is_promise_change
    group by ticket_id
),

silences as (
    select
        silences.ticket_id,
        max(coalesce(silences.ended_clock, clock.as_of_clock) - silences.started_clock) as longest_silence_clock
    from {{ ref('int_ticket_silences') }} as silences
    cross join {{ ref('int_as_of_clock') }} as clock
    group by silences.ticket_id
),

unanswered as (
    select
        answers.ticket_id,
        {% for days in [1, 3, 7] %}
        count(case when {{ hours_after('answers.sent_at', days * 24) }} <= clock.as_of_at then 1 end) as unanswered_{{ days }}d
        {{- ',' if not loop.last }}
        {% endfor %}
    from {{ ref('int_client_message_answers') }} as answers
    cross join {{ ref('int_as_of_clock') }} as clock
    where answers.answered_at is null
    group by answers.ticket_id
),

final as (
    select
        tickets.ticket_id,
        tickets.queue,
        tickets.opened_on,
        coalesce(promises.promise_changes, 0) as promise_changes,
        responses.is_reopened,
        repeats.ticket_id is not null as is_repeat,
        in_a_row.ticket_id is not null as is_in_a_row,
        silences.longest_silence_clock,
        {% for days in [1, 3, 7] %}
        coalesce(unanswered.unanswered_{{ days }}d, 0) as unanswered_{{ days }}d{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('int_tickets') }} as tickets
    inner join {{ ref('int_ticket_responses') }} as responses on tickets.ticket_id = responses.ticket_id
    left join promises on tickets.ticket_id = promises.ticket_id
    left join {{ ref('int_repeat_tickets') }} as repeats on tickets.ticket_id = repeats.ticket_id
    left join {{ ref('int_in_a_row_tickets') }} as in_a_row on tickets.ticket_id = in_a_row.ticket_id
    left join silences on tickets.ticket_id = silences.ticket_id
    left join unanswered on tickets.ticket_id = unanswered.ticket_id
)

select * from final
