-- An invitation counts once its fortnight has passed, also one of the running month; until then nobody can be said not to have answered.
{% set answer_days = 14 %}
with invitations as (
    select
        {{ month_start('interviews.invited_on') }} as month,
        coalesce(exits.defector, 'none') as defector,
        coalesce({{ days_between('interviews.invited_on', 'interviews.answered_on') }} <= {{ answer_days }}, false) as is_answered
    from {{ ref('int_exit_interviews') }} as interviews
    left join {{ ref('int_exits') }} as exits
        on
            interviews.client_id = exits.client_id
            and interviews.invited_on >= exits.started_on
            and (exits.next_started_on is null or interviews.invited_on < exits.next_started_on)
    where {{ days_after('interviews.invited_on', answer_days) }} < {{ as_of() }}
),

counted as (
    select
        month,
        defector,
        count(*) as invited,
        count(case when is_answered then 1 end) as answered
    from invitations
    group by all
),

final as (
    select
        counted.month,
        counted.defector,
        counted.invited,
        counted.answered,
        {{ as_of() }} as as_of
    from counted
    inner join {{ ref('int_history') }} as history on counted.month >= {{ month_start('history.history_starts_on') }}
)

select * from final
