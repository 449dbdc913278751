-- The first answered interview with a reason among those invited at or after the spell's start and before the next spell.
with answers as (
    select * from {{ ref('int_exit_interviews') }}
    where reason_code is not null
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
        order by answers.answered_at, answers.invited_on, answers.interview_id
    ) = 1
)

select * from final
