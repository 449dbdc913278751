{#
    amount x rate x multiplier / divisor, rounded once, half away from zero, to two digits. In whole numbers, because a decimal divided
    in DuckDB becomes a double: 0.615 would round to 0.61.

    amount: decimal(24, 6); rate: decimal(18, 6); multiplier and divisor: whole numbers or SQL that gives them.
#}
{% macro scaled_money(amount, rate, multiplier=1, divisor=1) %}
    {% set million = 'cast(1000000 as decimal(7, 0))' %}
    {% set parts_per_cent = 'cast(10000000000 as hugeint)' %}
    cast(
        sign({{ amount }}) * (
            (
                2 * cast(abs({{ amount }}) * {{ million }} as hugeint) * cast({{ rate }} * {{ million }} as hugeint) * ({{ multiplier }})
                + {{ parts_per_cent }} * ({{ divisor }})
            )
            // (2 * {{ parts_per_cent }} * ({{ divisor }}))
        ) as decimal(18, 0)
    ) * cast(0.01 as decimal(3, 2))
{% endmacro %}


{# The dated rate of a row's currency: a join to int_exchange_rates, `rate` is 1 in the company's currency. #}
{% macro join_exchange_rate(currency, day) %}
    left join {{ ref('int_exchange_rates') }} as rates
        on
            {{ currency }} = rates.currency
            and {{ day }} >= rates.valid_from
            and {{ day }} < rates.valid_to
{% endmacro %}


{# 1 for the company's currency and for an empty one, else the joined rate. #}
{% macro exchange_rate(currency) -%}
    case
        when coalesce({{ currency }}, '{{ var("company_currency") | upper }}') = '{{ var("company_currency") | upper }}' then cast(1 as decimal(18, 6))
        else rates.rate
    end
{%- endmacro %}


{#
    A share of an amount of money, exact: the caller rounds once. share: a number between 0 and 1 of at most twelve digits.
    Twenty digits for the amount, because DuckDB keeps a product of two decimals of eighteen in eighteen and overflows.
#}
{% macro share_of_money(amount, share) -%}
    cast({{ amount }} as decimal(20, 2)) * cast('{{ share }}' as decimal(18, 12))
{%- endmacro %}
