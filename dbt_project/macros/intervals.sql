{# Bounds of the Wilson score interval of a share, 95 % (z of the standard normal). `bound`: 'low' or 'high'. NULL without trials. #}
{% macro wilson(successes, trials, bound) %}
    {% set z = '1.959963984540054' %}
    case when {{ trials }} > 0 then
        (
            (cast({{ successes }} as double) + {{ z }} * {{ z }} / 2)
            {{ '-' if bound == 'low' else '+' }} {{ z }} * sqrt(
                cast({{ successes }} as double) * ({{ trials }} - {{ successes }}) / {{ trials }} + {{ z }} * {{ z }} / 4
            )
        ) / ({{ trials }} + {{ z }} * {{ z }})
    end
{% endmacro %}
