-- The first answered interview with a reason among those invited at or after the spell's start and before the next spell.
with answers as (
    select
        client_key as client_id,
        interview_key,
        {{ local_date('invited_at') }} as invited_on,
        answered_at,
        reason_code
    from {{ ref('stg_canonical__exit_interviews') }}
    where
        reason_code is not null
        and {{ local_date('answered_at') }} < {{ as_of() }}
),

final as (
    select
        exits.client_id,
        exits.spell_number,
        answers.reason_code
    from {{ ref('int_exits') }} as exits
    inner join answers
        on
            exits.client_id = answers.client_id
            and answers.invited_on >= exits.started_on
            and (exits.next_started_on is null or answers.invited_on < exits.next_started_on)
    qualify row_number() over (
        partition by exits.client_id, exits.spell_number
        order by answers.answered_at, answers.invited_on, answers.interview_key
    ) = 1
)

select * from final
