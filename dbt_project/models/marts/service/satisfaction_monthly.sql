with parts as (
    select
        {{ month_start('feedback.submitted_on') }} as month,
        segments.segment,
        {{ satisfaction_parts() }},
        count(case when feedback.score >= 4 and feedback.kind in ('operator_rating', 'review', 'survey') then 1 end) as csat_n
    from {{ ref('int_feedback') }} as feedback
    inner join {{ ref('int_client_segments') }} as segments on feedback.client_id = segments.client_id
    group by all
),

indexed as (
    select
        parts.*,
        {{ satisfaction_index('parts', 'weights') }} as satisfaction_index
    from parts
    cross join {{ ref('int_satisfaction_weights') }} as weights
),

warnings as (
    select target
    from {{ ref('targets') }}
    where metric = 'satisfaction_index'
),

final as (
    select
        grid.month,
        grid.segment,
        {% for part in ['operator', 'review', 'survey'] %}
        indexed.{{ part }}_mean,
        coalesce(indexed.{{ part }}_n, 0) as {{ part }}_n,
        {% endfor %}
        indexed.satisfaction_index,
        indexed.satisfaction_index < warnings.target as is_warning,
        coalesce(indexed.operator_n + indexed.review_n + indexed.survey_n, 0) as scored_n,
        coalesce(indexed.csat_n, 0) as csat_n,
        {{ as_of() }} as as_of
    from {{ ref('int_month_segments') }} as grid
    left join indexed on grid.month = indexed.month and grid.segment = indexed.segment
    left join warnings on true
)

select * from final
