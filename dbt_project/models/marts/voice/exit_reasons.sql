with exits as (
    select
        {{ month_start('exits.ended_on') }} as month,
        coalesce(reasons.reason_code, 'unknown') as reason_code,
        segments.segment,
        exits.defector,
        count(*) as exits,
        cast(sum(lost.mrr_lost) as decimal(18, 2)) as mrr_lost
    from {{ ref('int_exits') }} as exits
    inner join {{ ref('int_client_segments') }} as segments on exits.client_id = segments.client_id
    inner join {{ ref('int_lost_mrr') }} as lost
        on exits.client_id = lost.client_id and exits.spell_number = lost.spell_number
    left join {{ ref('int_exit_reasons') }} as reasons
        on exits.client_id = reasons.client_id and exits.spell_number = reasons.spell_number
    group by all
),

final as (
    select
        exits.month,
        exits.reason_code,
        exits.segment,
        exits.defector,
        exits.exits,
        exits.mrr_lost,
        coalesce(fixes.owner_department, codes.owner_department) as owner_department,
        fixes.planned_on,
        fixes.fixed_on,
        coalesce(fixes.planned_on < {{ as_of() }} and fixes.fixed_on is null, false) as is_overdue,
        {{ as_of() }} as as_of
    from exits
    inner join {{ ref('int_months') }} as months on exits.month = months.month
    left join {{ ref('int_reason_fixes') }} as fixes on exits.reason_code = fixes.reason_code
    left join {{ ref('reason_codes') }} as codes on exits.reason_code = codes.reason_code
)

select * from final
