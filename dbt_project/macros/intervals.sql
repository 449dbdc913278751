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


{# A share; NULL without trials. #}
{% macro share(successes, trials) -%}
    case when {{ trials }} > 0 then cast({{ successes }} as double) / {{ trials }} end
{%- endmacro %}


{#
    Bounds of the difference of two independent shares (one minus other), 95 %: Newcombe's hybrid score interval, put together from the
    Wilson bounds of each. `bound`: 'low' or 'high'. NULL when either has no trials.
    Example: 56 of 70 minus 48 of 80 is 0.2, from 0.0524 to 0.3339 (Newcombe 1998, method 10).
#}
{% macro newcombe(one, one_trials, other, other_trials, bound) %}
    {% set difference = '(' ~ share(one, one_trials) ~ ') - (' ~ share(other, other_trials) ~ ')' %}
    {% set opposite = 'high' if bound == 'low' else 'low' %}
    {{ difference }} {{ '-' if bound == 'low' else '+' }} sqrt(
        power(({{ share(one, one_trials) }}) - ({{ wilson(one, one_trials, bound) }}), 2)
        + power(({{ share(other, other_trials) }}) - ({{ wilson(other, other_trials, opposite) }}), 2)
    )
{% endmacro %}
