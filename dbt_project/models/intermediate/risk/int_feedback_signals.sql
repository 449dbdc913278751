-- Signals from feedback as it was known at T.
with rated as (
    select
        exposures.client_id,
        exposures.observed_on,
        'satisfaction' as signal,
        round(avg(feedback.score), 6) as value
    from {{ ref('int_exposures') }} as exposures
    inner join {{ ref('int_feedback') }} as feedback
        on
            exposures.client_id = feedback.client_id
            and feedback.submitted_on >= exposures.window_starts_on
            and feedback.submitted_on < exposures.observed_on
    where feedback.score is not null
    group by all
),

ignored as (
    select
        exposures.client_id,
        exposures.observed_on,
        'ignored_feedback' as signal,
        cast(count(*) as double) as value
    from {{ ref('int_exposures') }} as exposures
    inner join {{ ref('int_feedback') }} as feedback
        on
            exposures.client_id = feedback.client_id
            and feedback.submitted_on >= exposures.window_starts_on
            and feedback.submitted_on < {{ days_after('exposures.observed_on', -14) }}
            and (feedback.acted_on_on is null or feedback.acted_on_on >= exposures.observed_on)
    where feedback.kind in ('complaint', 'idea', 'review')
    group by all
),

final as (
    select * from rated

    union all

    select * from ignored
)

select * from final
