with anchored as (
    {% for anchor in metric_anchors() %}
    select
        {{ text_literal(anchor.key) }} as metric,
        {{ text_literal(anchor.name) }} as name,
        {{ text_literal(anchor.mart) }} as mart,
        {{ text_literal(anchor.numerator) }} as numerator,
        {{ text_literal(anchor.denominator) }} as denominator,
        {{ text_literal(anchor.definition) }} as definition,
        {{ text_literal(anchor.mission_rows) }} as mission_rows
    {{ 'union all' if not loop.last }}
    {% else %}
    select
        {{ text_literal(none) }} as metric,
        {{ text_literal(none) }} as name,
        {{ text_literal(none) }} as mart,
        {{ text_literal(none) }} as numerator,
        {{ text_literal(none) }} as denominator,
        {{ text_literal(none) }} as definition,
        {{ text_literal(none) }} as mission_rows
    where 1 = 0
    {% endfor %}
),

final as (
    select
        metric,
        name,
        mart,
        numerator,
        denominator,
        definition,
        mission_rows,
        {{ as_of() }} as as_of
    from anchored
)

select * from final
