-- A reason has one fix that counts: the one planned last. An old plan that was replaced must not look overdue.
with fixes as (
    select
        source || ':' || fix_key as fix_id,
        reason_code,
        owner_department,
        planned_on,
        case when fixed_on < {{ as_of() }} then fixed_on end as fixed_on
    from {{ ref('stg_canonical__reason_fixes') }}
),

final as (
    select
        reason_code,
        owner_department,
        planned_on,
        fixed_on
    from fixes
    qualify row_number() over (
        partition by reason_code
        order by planned_on desc nulls last, fixed_on desc nulls last, fix_id desc
    ) = 1
)

select * from final
