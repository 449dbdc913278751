{#
    Business time: the time inside the company's working intervals, counted from the beginning of the calendar in whole microseconds
    (a bigint, called `*_clock`). The difference of two clocks is the business time between two instants, whatever nights, weekends and
    holidays lie between, for the price of one join per instant:

        select {{ business_clock('tickets.opened_at', 'opened_days') }} as opened_clock
        from tickets
        {{ join_business_day('tickets.opened_at', 'opened_days') }}

    Friday 17:30 to Monday 09:30 of an ordinary week: Friday's clock stands 8.5 hours into its day, Monday's half an hour into its own,
    and the days between add 0.5 hours of Friday: 60 minutes. Clocks follow the time on the wall, so a change of clocks over a weekend
    adds nothing.
#}
{% macro join_business_day(instant, days) %}
    left join {{ ref('int_business_days') }} as {{ days }}
        on {{ local_date(instant) }} = {{ days }}.day
{% endmacro %}


{# The clock of an instant, given the row of its day (see above). NULL for an empty instant. #}
{% macro business_clock(instant, days) -%}
    {{ days }}.clock_at_start + greatest(
        least({{ wall_microsecond(instant) }}, {{ days }}.closes_second * cast(1000000 as bigint))
        - {{ days }}.opens_second * cast(1000000 as bigint),
        0
    )
{%- endmacro %}


{# A difference of two clocks in business minutes, fractions kept. #}
{% macro business_minutes(clocks) -%} cast({{ clocks }} as double) / 60000000.0 {%- endmacro %}


{# A difference of two clocks in business hours, fractions kept. #}
{% macro business_hours(clocks) -%} cast({{ clocks }} as double) / 3600000000.0 {%- endmacro %}


{# Numbers of the working days in the week, 1 = Monday, from their names in the var `working_days`. #}
{% macro working_day_numbers() -%}
    {%- set numbers = {'Mon': 1, 'Tue': 2, 'Wed': 3, 'Thu': 4, 'Fri': 5, 'Sat': 6, 'Sun': 7} -%}
    {%- for name in var('working_days') -%}{{ numbers.get(name, 0) }}{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro %}
