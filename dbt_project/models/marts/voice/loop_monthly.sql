with leavers as (
    select
        reason_code,
        count(*) as leavers,
        count(case when is_told then 1 end) as told,
        count(case when is_invited then 1 end) as invited,
        count(next_started_on) as returned
    from {{ ref('int_leavers') }}
    group by all
),

final as (
    select
        months.month,
        fixes.reason_code,
        fixes.fixed_on,
        coalesce(leavers.leavers, 0) as leavers,
        coalesce(leavers.told, 0) as told,
        coalesce(leavers.invited, 0) as invited,
        coalesce(leavers.returned, 0) as returned,
        {{ as_of() }} as as_of
    from {{ ref('int_reason_fixes') }} as fixes
    inner join {{ ref('int_months') }} as months on fixes.fixed_on between months.month and months.closing_on
    left join leavers on fixes.reason_code = leavers.reason_code
)

select * from final
