with final as (
    select
        coalesce(max(case when part = 'operator_rating' then weight end), 0) as operator_weight,
        coalesce(max(case when part = 'review' then weight end), 0) as review_weight,
        coalesce(max(case when part = 'survey' then weight end), 0) as survey_weight
    from {{ ref('satisfaction_weights') }}
)

select * from final
