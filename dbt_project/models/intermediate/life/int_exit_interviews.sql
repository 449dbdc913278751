with interviews as (
    select
        source || ':' || interview_key as interview_id,
        client_key as client_id,
        {{ local_date('invited_at') }} as invited_on,
        answered_at,
        {{ local_date('answered_at') }} as answered_on,
        reason_code
    from {{ ref('stg_canonical__exit_interviews') }}
),

final as (
    select
        interview_id,
        client_id,
        invited_on,
        -- What is answered on or after the clock has not been answered yet.
        case when answered_on < {{ as_of() }} then answered_at end as answered_at,
        case when answered_on < {{ as_of() }} then answered_on end as answered_on,
        case when answered_on < {{ as_of() }} then reason_code end as reason_code
    from interviews
    where
        invited_on < {{ as_of() }}
        -- An interview with nobody we know has lost its parent.
        and client_id in (select clients.client_id from {{ ref('int_clients') }} as clients)
)

select * from final
