{# Bounds of the Wilson score interval of a share, 95 % (z of the standard normal). `bound`: 'low' or 'high'. NULL without trials. #}
{% macro wilson(successes, trials, bound) %}
    {% set z = '1.959963984540054' %}
    {# At 0 and 1 the bound is the share itself; floating point may miss it by the last digit. #}
    case when {{ trials }} > 0 then
        {{ 'greatest(0.0' if bound == 'low' else 'least(1.0' }}, (
            (cast({{ successes }} as double) + {{ z }} * {{ z }} / 2)
            {{ '-' if bound == 'low' else '+' }} {{ z }} * sqrt(
                cast({{ successes }} as double) * ({{ trials }} - {{ successes }}) / {{ trials }} + {{ z }} * {{ z }} / 4
            )
        ) / ({{ trials }} + {{ z }} * {{ z }}))
    end
{% endmacro %}
