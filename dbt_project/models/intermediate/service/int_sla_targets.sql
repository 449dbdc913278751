with final as (
    select
        sla_class,
        max(case when metric = 'first_response' then target_minutes end) as first_response_target_minutes,
        max(case when metric = 'resolution' then target_minutes end) as resolution_target_minutes
    from {{ ref('sla_targets') }}
    group by sla_class
)

select * from final
