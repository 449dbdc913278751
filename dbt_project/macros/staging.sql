{# What the staging models of the source systems share. #}

{#
    The newest landed version of each key. A lookup table must be reduced to it before it is joined: joined as it landed, every version of
    a renamed queue would double the tickets in it.
    Example: {{ latest_landed(source('landing', 'znuny__queue'), ['id']) }}
#}
{% macro latest_landed(relation, key) %}
    select ranked.*
    from (
        select
            landed.*,
            row_number() over (
                partition by {{ key | join(', ') }} order by landed._load_id desc, landed._row_number desc
            ) as _rank
        from {{ relation }} as landed
    ) as ranked
    where ranked._rank = 1
{% endmacro %}


{# A system's own codes as canonical ones. A code that is not listed passes as it is and is quarantined as unknown_code. #}
{% macro coded(column, codes) -%}
    {%- if not codes %}{{ column }}{% else -%}
    case {{ column }}
    {%- for code, canonical in codes.items() %}
    when {{ quoted_list([code]) }} then {{ quoted_list([canonical]) if canonical is not none else 'null' }}
    {%- endfor %}
    else {{ column }} end
    {%- endif -%}
{%- endmacro %}


{# A part of sources/znuny.yml; empty where there is none. #}
{% macro znuny_mapping(part) %}
    {% set mapping = var('znuny', {}) %}
    {% do return(mapping.get(part, {}) if mapping is mapping else {}) %}
{% endmacro %}


{# Names as a list of SQL texts; of an empty list one that nothing is equal to. #}
{% macro quoted_list(names) -%}
    {%- for name in names %}'{{ name | replace("'", "''") }}'{{ ', ' if not loop.last }}{% else %}null{% endfor -%}
{%- endmacro %}


{# A naive timestamp of Znuny as an instant. #}
{% macro znuny_instant(column) -%} {{ wall_time(column, var("znuny_timezone", "UTC")) }} {%- endmacro %}


{#
    A date-time of Bitrix24 as ISO text. Mostly it is that already (2023-08-24T13:19:39+03:00); some methods write 24.08.2023 13:19:39,
    without a zone: it is the portal's, where sources/bitrix24.yml names it, else the canonical layer reads it in the company's.
#}
{% macro bitrix24_instant(column, is_day=false) -%}
    case
        {% if bitrix24_mapping('timezone') and not is_day -%}
        when try_strptime({{ column }}, '%d.%m.%Y %H:%M:%S') is not null
            then cast(timezone('{{ bitrix24_mapping("timezone") }}', strptime({{ column }}, '%d.%m.%Y %H:%M:%S')) as varchar)
        {% endif -%}
        when {{ column }} like '__.__.____%'
            then concat(
                substr({{ column }}, 7, 4), '-', substr({{ column }}, 4, 2), '-', substr({{ column }}, 1, 2), substr({{ column }}, 11)
            )
        else {{ column }}
    end
{%- endmacro %}


{# A day of Bitrix24 as ISO text. Days come as the midnight of the server in the zone of the reader: the day is what is written first. #}
{% macro bitrix24_day(column) -%} substr({{ bitrix24_instant(column, is_day=true) }}, 1, 10) {%- endmacro %}


{# A yes or no of Bitrix24 (Y/N, 1/0, true/false) as true or false; anything else passes as it is. #}
{% macro bitrix24_flag(column) -%}
    case
        when upper({{ column }}) in ('Y', '1', 'TRUE') then 'true'
        when upper({{ column }}) in ('N', '0', 'FALSE') then 'false'
        else {{ column }}
    end
{%- endmacro %}


{# A reference to another item; Bitrix24 writes 0 for none. #}
{% macro bitrix24_reference(column) -%} nullif({{ column }}, '0') {%- endmacro %}


{# A part of what sources/bitrix24.yml says; empty where it says nothing. #}
{% macro bitrix24_mapping(part) %}
    {% set mapping = var('bitrix24', {}) %}
    {% do return(mapping.get(part) if mapping is mapping else none) %}
{% endmacro %}


{# What the portal's codes of a role mean: code -> canonical code. #}
{% macro bitrix24_codes(entity, role) %}
    {% do return(((bitrix24_mapping('values') or {}).get(entity) or {}).get(role) or {}) %}
{% endmacro %}


{# When a deal last came to each of the stages it was on. #}
{% macro bitrix24_stage_reached() %}
    select
        OWNER_ID as deal_id,
        STAGE_ID as stage_id,
        arg_max(CREATED_TIME, cast(ID as bigint)) as reached_at
    from {{ source('landing', 'bitrix24__deal_stages') }}
    group by OWNER_ID, STAGE_ID
{% endmacro %}
