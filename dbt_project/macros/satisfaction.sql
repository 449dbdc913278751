{#
    Means and numbers of the three parts of the satisfaction index, columns of a select over int_feedback:
    operator_mean, operator_n, review_mean, review_n, survey_mean, survey_n.
#}
{% macro satisfaction_parts() %}
    {% for part, kind in [('operator', 'operator_rating'), ('review', 'review'), ('survey', 'survey')] %}
    cast(sum(case when kind = '{{ kind }}' then score end) as double)
    / nullif(count(case when kind = '{{ kind }}' then score end), 0) as {{ part }}_mean,
    count(case when kind = '{{ kind }}' then score end) as {{ part }}_n{{ ',' if not loop.last }}
    {% endfor %}
{% endmacro %}


{#
    The satisfaction index: mean of the parts that exist, by the weights of int_satisfaction_weights. NULL without any part.
    Means 5 and 4 with weights 1 and 3, no third part: (5 + 12) / 4 = 4.25.
#}
{% macro satisfaction_index(parts, weights) -%}
    round(
        (
            {% for part in ['operator', 'review', 'survey'] %}
            coalesce({{ parts }}.{{ part }}_mean * {{ weights }}.{{ part }}_weight, 0){{ ' +' if not loop.last }}
            {% endfor %}
        ) / nullif(
            {% for part in ['operator', 'review', 'survey'] %}
            case when {{ parts }}.{{ part }}_mean is not null then {{ weights }}.{{ part }}_weight else 0 end{{ ' +' if not loop.last }}
            {% endfor %}, 0
        ), 6
    )
{%- endmacro %}
