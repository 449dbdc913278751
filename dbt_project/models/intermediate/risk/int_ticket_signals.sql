-- Signals that need the state of a ticket as it was known at T.
with exposures as (
    select
        exposures.*,
        days.clock_at_start as observed_clock,
        first_days.clock_at_start as window_starts_clock
    from {{ ref('int_exposures') }} as exposures
    inner join {{ ref('int_business_days') }} as days on exposures.observed_on = days.day
    inner join {{ ref('int_business_days') }} as first_days on exposures.window_starts_on = first_days.day
),

unanswered as (
    select
        exposures.client_id,
        exposures.observed_on,
        'unanswered_messages' as signal,
        cast(count(*) as double) as value
    from exposures
    inner join {{ ref('int_client_message_answers') }} as messages
        on
            exposures.client_id = messages.client_id
            and messages.sent_on >= exposures.window_starts_on
            and messages.sent_on < exposures.observed_on
            and (messages.answered_at is null or messages.answered_at >= exposures.observed_at)
            and {{ business_minutes('exposures.observed_clock - messages.sent_clock') }} > 540
    group by all
),

-- A target is missed when the time until the answer, or until T when there was none by then, exceeds it.
tickets as (
    select
        exposures.client_id,
        exposures.observed_on,
        tickets.opened_by = 'client'
        and {{ business_minutes('least(responses.first_response_clock, exposures.observed_clock) - tickets.opened_clock') }}
        > responses.first_response_target_minutes as is_first_response_breach,
        {{ business_minutes('least(responses.first_resolved_clock, exposures.observed_clock) - tickets.opened_clock') }}
        > responses.resolution_target_minutes as is_resolution_breach
    from exposures
    inner join {{ ref('int_tickets') }} as tickets
        on
            exposures.client_id = tickets.client_id
            and tickets.opened_on >= exposures.window_starts_on
            and tickets.opened_on < exposures.observed_on
    inner join {{ ref('int_ticket_responses') }} as responses on tickets.ticket_id = responses.ticket_id
),

silences as (
    select
        exposures.client_id,
        exposures.observed_on,
        max(
            least(silences.ended_clock, exposures.observed_clock) - greatest(silences.started_clock, exposures.window_starts_clock)
        ) as longest
    from exposures
    inner join {{ ref('int_ticket_silences') }} as silences
        on
            exposures.client_id = silences.client_id
            and silences.started_at < exposures.observed_at
            and (
                silences.ended_at is null
                or silences.ended_at > exposures.window_starts_at
                or silences.started_at >= exposures.window_starts_at
            )
    group by all
),

final as (
    select * from unanswered

    union all

    {% for signal, condition in [
        ['first_response_breaches', 'is_first_response_breach'],
        ['resolution_breaches', 'is_resolution_breach'],
    ] %}
    select
        client_id,
        observed_on,
        '{{ signal }}' as signal,
        cast(count(case when {{ condition }} then 1 end) as double) as value
    from tickets
    group by all

    union all

    {% endfor %}

    select
        client_id,
        observed_on,
        'longest_silence' as signal,
        {{ business_hours('longest') }} as value
    from silences
)

select * from final
