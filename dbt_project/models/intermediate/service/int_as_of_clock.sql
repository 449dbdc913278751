with final as (
    select
        {{ wall_time("cast(" ~ as_of() ~ " as timestamp)") }} as as_of_at,
        clock_at_start as as_of_clock
    from {{ ref('int_business_days') }}
    where day = {{ as_of() }}
)

select * from final
