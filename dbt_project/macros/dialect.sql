{# Everything that another engine spells differently. Models call these and stay free of dialect. #}

{# The clock of the build, a date: data is complete for every day before it. #}
{% macro as_of() -%} cast({{ "'" ~ var('as_of') ~ "'" if var('as_of') else 'null' }} as date) {%- endmacro %}


{# The company's day on which an instant falls. #}
{% macro local_date(instant) -%}
    cast(timezone('{{ var("company_timezone") }}', {{ instant }}) as date)
{%- endmacro %}


{#
    A text read as an instant: with a zone as written, without one in the company's zone. NULL for anything but ISO 8601: DuckDB alone
    would read '10:00 UTC' as ten o'clock here. It wants seconds before a zone and no space; ISO asks for neither.
#}
{% macro read_timestamp(text) -%}
    case
        when
            regexp_full_match(
                {{ text }},
                '[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)? ?([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)'
            )
            then try_cast(
                regexp_replace(
                    regexp_replace(upper({{ text }}), ' (Z|[+-][0-9:]+)$', '\1'), '^(.{10}.[0-9]{2}:[0-9]{2})(Z|[+-].*)$', '\1:00\2'
                ) as timestamptz
            )
        when regexp_full_match({{ text }}, '[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?')
            then {{ wall_time("try_cast(upper(" ~ text ~ ") as timestamp)") }}
    end
{%- endmacro %}


{# A wall time of the company as an instant; of an hour that a clock change repeats, the first. #}
{% macro wall_time(local_time, zone=none) -%}
    {%- set zone = zone or var("company_timezone") -%}
    case
        when
            timezone('{{ zone }}', timezone('{{ zone }}', {{ local_time }}) - interval '1' hour)
            = {{ local_time }}
            then timezone('{{ zone }}', {{ local_time }}) - interval '1' hour
        else timezone('{{ zone }}', {{ local_time }})
    end
{%- endmacro %}


{# A text read as a day: ISO 8601, with midnight as the only time that may follow. NULL for anything else. #}
{% macro read_date(text) -%}
    case
        when regexp_full_match({{ text }}, '[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]00:00(:00(\.0+)?)?)?')
            then try_cast(substr({{ text }}, 1, 10) as date)
    end
{%- endmacro %}


{# A text read as a number: plain digits with an optional sign and point. NULL for anything else. #}
{% macro read_number(text, type) -%}
    case
        when regexp_full_match({{ text }}, '[+-]?{{ "[0-9]+" if type == "bigint" else "([0-9]+[.]?[0-9]*|[.][0-9]+)" }}')
            then try_cast({{ text }} as {{ type }})
    end
{%- endmacro %}


{#
    A value as a spreadsheet of many countries writes it, in the spelling of the contract: `31.12.2024 9:05` is `2024-12-31 09:05`,
    `1 234,50` is `1234.50`. What could be read in two ways (`1,234.50`, the amount `1,234`)
    is left as it is, and so is text.
#}
{% macro from_spreadsheet(text, type) -%}
    {%- if type in ('timestamp', 'date') -%}
    regexp_replace(
        regexp_replace(
            {{ text }}, '^([0-9]{2})[.]([0-9]{2})[.]([0-9]{4})( [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?$', '\3-\2-\1\4'
        ),
        '^([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]:[0-9]{2}(:[0-9]{2})?)$',
        '\1 0\2'
    )
    {%- elif type in ('money', 'score', 'integer') -%}
    case
        {% if type == 'money' %}when regexp_full_match({{ text }}, '[+-]?[1-9][0-9]{0,2},[0-9]{3}') then {{ text }}{% endif %}
        when regexp_full_match({{ text }}, '[+-]?([0-9]+|[0-9]{1,3}([ \x{00a0}\x{202f}][0-9]{3})+)(,[0-9]+)?')
            then replace(regexp_replace({{ text }}, '[ \x{00a0}\x{202f}]', '', 'g'), ',', '.')
        else {{ text }}
    end
    {%- else -%} {{ text }}
    {%- endif -%}
{%- endmacro %}


{# Of a list of {condition, column, rule}, those that hold, as an array of texts `column rule`. #}
{% macro texts_that_hold(rules) -%}
    list_filter(
        [
            {% for broken in rules %}
            case when {{ broken['condition'] }} then '{{ broken['column'] }} {{ broken['rule'] }}' end{{ ',' if not loop.last }}
            {% endfor %}
        ],
        lambda fault: fault is not null
    )
{%- endmacro %}


{# Columns of text as one JSON object. #}
{% macro row_as_json(columns) -%}
    cast(json_object({% for column in columns %}'{{ column }}', {{ column }}{{ ', ' if not loop.last }}{% endfor %}) as varchar)
{%- endmacro %}


{# A day moved by a number of days (negative = back). #}
{% macro days_after(day, days) -%} cast({{ day }} + {{ days }} as date) {%- endmacro %}


{# Whole days from one day to a later one. #}
{% macro days_between(earlier, later) -%} cast({{ later }} - {{ earlier }} as integer) {%- endmacro %}


{# The first day of the month that is a number of months after the month of `day`. #}
{% macro month_start(day, months=0) -%}
    cast(date_trunc('month', {{ day }}) + interval '{{ months }}' month as date)
{%- endmacro %}


{# A day moved by a number of months; of a month that is too short, its last day. #}
{% macro months_after(day, months) -%} cast({{ day }} + interval '{{ months }}' month as date) {%- endmacro %}


{# Whole months from the month of one day to the month of a later one. #}
{% macro months_between(earlier, later) -%} cast(date_diff('month', {{ earlier }}, {{ later }}) as integer) {%- endmacro %}


{# The last day of the month of `day`. #}
{% macro month_end(day) -%} cast(last_day({{ day }}) as date) {%- endmacro %}


{# One row per month from the month of `first_day` to the month of `last_day`, columns of `relation`, which has one row: column `month`. #}
{% macro month_series(relation, first_day, last_day) %}
    select cast(unnest(generate_series(
        date_trunc('month', cast({{ first_day }} as timestamp)),
        date_trunc('month', cast({{ last_day }} as timestamp)),
        interval '1' month
    )) as date) as month
    from {{ relation }}
{% endmacro %}


{# One row per whole number from 0 to `last` (a column of `relation`), beside the other columns of the relation: column `number`. #}
{% macro number_series(relation, last, columns) %}
    select
        {{ columns | join(', ') }},
        unnest(range(0, {{ last }} + 1)) as number
    from {{ relation }}
{% endmacro %}


{# The values of a text column in one text, in their order. #}
{% macro joined_text(column) -%} string_agg({{ column }}, ', ' order by {{ column }}) {%- endmacro %}


{# One row per day from `first_day` to `last_day`, two days: column `day`. #}
{% macro day_series(first_day, last_day) %}
    select cast(unnest(generate_series(
        cast({{ first_day }} as timestamp),
        cast({{ last_day }} as timestamp),
        interval '1' day
    )) as date) as day
{% endmacro %}


{# The number of a day's place in the week: 1 = Monday … 7 = Sunday. #}
{% macro weekday(day) -%} isodow({{ day }}) {%- endmacro %}


{# Whole seconds of a time of day since midnight; 24:00 is the end of the day. #}
{% macro second_of_day(time_of_day) -%} cast(date_part('epoch', {{ time_of_day }}) as integer) {%- endmacro %}


{# Microseconds that the company's clock on the wall shows at an instant, since midnight. #}
{% macro wall_microsecond(instant) -%}
    date_diff(
        'microsecond',
        date_trunc('day', timezone('{{ var("company_timezone") }}', {{ instant }})),
        timezone('{{ var("company_timezone") }}', {{ instant }})
    )
{%- endmacro %}


{# An instant moved by a number of hours that passed on any clock (negative = back). #}
{% macro hours_after(instant, hours) -%} {{ instant }} + interval '{{ hours }}' hour {%- endmacro %}
