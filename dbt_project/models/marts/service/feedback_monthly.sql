with feedback as (
    select
        months.month,
        feedback.kind,
        feedback.answer_minutes,
        feedback.answered_at is not null as is_answered,
        feedback.kind = 'review' and feedback.is_public and coalesce(feedback.score <= 2, false) as is_negative_public,
        feedback.acted_on_on is not null as is_acted_on,
        {{ days_between('feedback.submitted_on', 'feedback.acted_on_on') }} as days_to_action,
        feedback.acted_on_on is null and {{ days_after('feedback.submitted_on', 14) }} < {{ as_of() }} as is_ignored
    from {{ ref('int_feedback') }} as feedback
    inner join {{ ref('int_months') }} as months on {{ month_start('feedback.submitted_on') }} = months.month
),

final as (
    select
        month,
        kind,
        count(*) as submitted,
        count(case when answer_minutes <= 540 then 1 end) as answered_in_time,
        count(case when not is_answered then 1 end) as unanswered,
        median(answer_minutes) as median_answer_minutes,
        count(case when is_negative_public then 1 end) as negative_public,
        count(case when is_negative_public and not is_answered then 1 end) as negative_public_unanswered,
        count(case when is_ignored then 1 end) as ignored,
        count(case when is_acted_on then 1 end) as acted_on,
        median(cast(days_to_action as double)) as median_days_to_action,
        {{ as_of() }} as as_of
    from feedback
    group by month, kind
)

select * from final
