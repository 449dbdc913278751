with feedback as (
    {{ rows_with_client('feedback') }}
),

-- What happened on or after the clock has not happened yet.
known as (
    select
        *,
        {{ local_date('submitted_at') }} as submitted_on,
        case when {{ local_date('answered_at') }} < {{ as_of() }} then answered_at end as known_answered_at,
        case when {{ local_date('acted_on_at') }} < {{ as_of() }} then {{ local_date('acted_on_at') }} end as acted_on_on
    from feedback
    where {{ local_date('submitted_at') }} < {{ as_of() }}
),

timed as (
    select
        known.source || ':' || known.feedback_key as feedback_id,
        known.client_id,
        known.kind,
        -- Judged as written, kept with the two digits of the contract.
        cast(known.score as decimal(3, 2)) as score,
        known.is_public,
        tickets.ticket_id,
        employees.employee_id,
        known.submitted_at,
        known.submitted_on,
        known.known_answered_at as answered_at,
        {{ business_clock('known.submitted_at', 'submitted_days') }} as submitted_clock,
        {{ business_clock('known.known_answered_at', 'answered_days') }} as answered_clock,
        known.acted_on_on
    from known
    left join {{ ref('int_tickets') }} as tickets on known.source || ':' || known.ticket_key = tickets.ticket_id
    left join {{ ref('int_employees') }} as employees on known.employee_key = employees.employee_id
    {{ join_business_day('known.submitted_at', 'submitted_days') }}
    {{ join_business_day('known.known_answered_at', 'answered_days') }}
),

final as (
    select
        feedback_id,
        client_id,
        kind,
        score,
        is_public,
        ticket_id,
        employee_id,
        submitted_at,
        submitted_on,
        answered_at,
        {{ business_minutes('answered_clock - submitted_clock') }} as answer_minutes,
        acted_on_on
    from timed
)

select * from final
