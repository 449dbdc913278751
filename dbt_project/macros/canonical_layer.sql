{# The canonical entities that a system delivers. A part that its mapping file leaves out is not among them. #}
{% macro delivered_entities(system) %}
    {% if system == 'files' %}
        {% do return(canonical_entities() | list) %}
    {% elif system in var('sql_sources', {}) %}
        {% do return(var('sql_sources')[system]) %}
    {% else %}
        {% set left_out = var(system, {}).get('left_out', []) %}
        {% do return(var('system_entities').get(system, []) | reject('in', left_out) | list) %}
    {% endif %}
{% endmacro %}


{# Delivered rows of one canonical entity, from every enabled system, all values as text, empty text as NULL. #}
{% macro delivered_rows(entity) %}
    {% set spec = canonical_entities()[entity] %}
    {% set relations = {} %}
    {% for system in var('sources') %}
        {% if system == 'files' %}
            {% do relations.update({system: source('landing', 'files__' ~ entity)}) %}
        {% elif entity in delivered_entities(system) and system in var('sql_sources', {}) %}
            {#- Sources of any name may come by a mapping file: dbt cannot know them beforehand. -#}
            {% do relations.update({system: 'landing.' ~ system ~ '__' ~ entity}) %}
        {% elif entity in delivered_entities(system) %}
            {% do relations.update({system: ref('stg_' ~ system ~ '__' ~ entity)}) %}
        {% endif %}
    {% endfor %}
    {% for system in relations %}
    {% if not loop.first %}union all{% endif %}
    select
        '{{ system }}' as _source,
        _load_id,
        _row_number,
        {% for column in spec['columns'] + [['updated_at', 'timestamp', false]] %}
        nullif(cast({{ column[0] }} as varchar), '') as {{ column[0] }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ relations[system] }}
    {% else %}
    select
        cast(null as varchar) as _source,
        cast(null as varchar) as _load_id,
        cast(null as bigint) as _row_number,
        {% for column in spec['columns'] + [['updated_at', 'timestamp', false]] %}
        cast(null as varchar) as {{ column[0] }}{{ ',' if not loop.last }}
        {% endfor %}
    where false
    {% endfor %}
{% endmacro %}


{# One text read as its canonical type; NULL when it cannot be read. #}
{% macro read_as(column, type) %}
    {%- if type == 'timestamp' -%} {{ read_timestamp(column) }}
    {%- elif type == 'date' -%} {{ read_date(column) }}
    {#- Six digits, so that money is rounded once, after its conversion. Sums must fit decimal(18, 2): ten trillion is no amount. -#}
    {%- elif type == 'money' -%} try_cast({{ read_number(column, 'decimal(19, 6)') }} as decimal(24, 6))
    {%- elif type == 'score' -%} {{ read_number(column, 'decimal(19, 6)') }}
    {%- elif type == 'boolean' -%} case lower({{ column }}) when 'true' then true when 'false' then false end
    {%- elif type == 'integer' -%} {{ read_number(column, 'bigint') }}
    {%- elif type == 'currency' -%} upper({{ column }})
    {%- else -%} {{ column }}
    {%- endif -%}
{% endmacro %}


{#
    The rules that rows of an entity can break, in the order in which they are judged: a list of {condition, column, rule}.
    Conditions speak of the columns of judged_rows: `x` as read, `_text_x` as delivered.
#}
{% macro broken_rules(entity) %}
    {% set spec = canonical_entities()[entity] %}
    {% set columns = spec['columns'] + [['updated_at', 'timestamp', false]] %}
    {% set rules = [] %}
    {% for column in columns if column[2] %}
        {% do rules.append({'column': column[0], 'rule': 'missing_' ~ column[0], 'condition': '_text_' ~ column[0] ~ ' is null'}) %}
    {% endfor %}
    {% for column in columns if column[1] not in ('text', 'currency', 'reason') %}
        {% do rules.append({
            'column': column[0],
            'rule': 'unreadable_value',
            'condition': '_text_' ~ column[0] ~ ' is not null and ' ~ column[0] ~ ' is null',
        }) %}
    {% endfor %}
    {% for column in columns if column[1] in ('timestamp', 'date') %}
        {% set day = local_date(column[0]) if column[1] == 'timestamp' else column[0] %}
        {% do rules.append({
            'column': column[0],
            'rule': 'date_out_of_range',
            'condition': day ~ " not between date '1990-01-01' and date '2100-12-31'",
        }) %}
    {% endfor %}
    {% for column in columns if column[1] == 'score' %}
        {% do rules.append({'column': column[0], 'rule': 'score_out_of_range', 'condition': column[0] ~ ' not between 1 and 5'}) %}
    {% endfor %}
    {% for column in spec.get('not_negative', []) %}
        {% do rules.append({'column': column, 'rule': 'negative_price', 'condition': column ~ ' < 0'}) %}
    {% endfor %}
    {% for column in columns %}
        {% if column[0] in spec.get('codes', {}) %}
            {% set condition = column[0] ~ " not in ('" ~ spec['codes'][column[0]] | join("', '") ~ "')" %}
        {% elif column[1] == 'currency' %}
            {% set condition = column[0] ~ " <> '" ~ var('company_currency') | upper ~ "' and " ~ column[0]
                ~ ' not in (select upper(rates.currency) from ' ~ ref('exchange_rates') ~ ' as rates)' %}
        {% elif column[1] == 'reason' %}
            {% set condition = column[0] ~ ' not in (select reasons.reason_code from ' ~ ref('reason_codes') ~ ' as reasons)' %}
        {% else %}
            {% set condition = none %}
        {% endif %}
        {% if condition %}{% do rules.append({'column': column[0], 'rule': 'unknown_code', 'condition': condition}) %}{% endif %}
    {% endfor %}
    {% for interval in spec.get('intervals', []) %}
        {% set sign = '<' if interval[2] == 'end_may_equal_start' else '<=' %}
        {% do rules.append({
            'column': interval[1],
            'rule': 'reversed_interval',
            'condition': interval[1] ~ ' ' ~ sign ~ ' ' ~ interval[0],
        }) %}
    {% endfor %}
    {% do return(rules) %}
{% endmacro %}


{#
    Every delivered row of an entity, typed, with the first rule that it breaks in `_rule` (NULL = valid) and the row as delivered in
    `_row_json`. `_version` orders the valid versions of a key, 1 = the one that stands: greatest updated_at, then the latest load, then
    the last row. Validity is judged first, so an invalid newer version leaves the last valid one standing.
#}
{% macro judged_rows(entity) %}
    {% set spec = canonical_entities()[entity] %}
    {% set columns = spec['columns'] + [['updated_at', 'timestamp', false]] %}

with delivered as (
    {{ delivered_rows(entity) }}
),

-- A spreadsheet writes days and numbers in the way of its country; every other source writes them as the contract does.
spelled as (
    select
        *,
        {% for column in columns %}
        {% if 'files' in var('sources') %}
        case when _source = 'files' then {{ from_spreadsheet(column[0], column[1]) }} else {{ column[0] }} end
        {%- else %}
        {{ column[0] }}
        {%- endif %} as _spelled_{{ column[0] }}{{ ',' if not loop.last }}
        {% endfor %}
    from delivered
),

typed as (
    select
        _source,
        _load_id,
        _row_number,
        {% for column in columns %}
        {{ column[0] }} as _text_{{ column[0] }},
        {{ read_as('_spelled_' ~ column[0], column[1]) }} as {{ column[0] }},
        {% endfor %}
        {{ row_as_json(columns | map(attribute=0) | list) }} as _row_json
    from spelled
),

judged as (
    select
        *,
        case
            {% for broken in broken_rules(entity) %}
            when {{ broken['condition'] }} then '{{ broken['rule'] }}'
            {% endfor %}
        end as _rule
    from typed
),

final as (
    select
        *,
        row_number() over (
            partition by (_rule is null), _source, {{ spec['key'] | join(', ') }}
            order by updated_at desc nulls last, _load_id desc, _row_number desc
        ) as _version,
        -- A broken row that a later load delivered anew is history, not a present fault.
        _load_id < max(_load_id) over (
            partition by _source, {% for key in spec['key'] %}_text_{{ key }}{{ ', ' if not loop.last }}{% endfor %}
        )
        and {% for key in spec['key'] %}_text_{{ key }} is not null{{ ' and ' if not loop.last }}{% endfor %} as _is_redelivered
    from judged
)

select * from final
{% endmacro %}


{# The rows that stand: valid, the newest version of each key. #}
{% macro canonical_rows(entity) %}
    {% set spec = canonical_entities()[entity] %}
select
    _source as source,
    {% for column in spec['columns'] %}
    {{ column[0] if column[0] != 'source' else 'source as linked_source' }},
    {% endfor %}
    updated_at
from {{ ref('stg_judged__' ~ entity) }}
where _rule is null and _version = 1
{% endmacro %}


{# The rows that broke a rule and were not delivered anew since, with all that is wrong in `faults`: texts `column rule`. #}
{% macro quarantined_rows(entity) %}
    {% set spec = canonical_entities()[entity] %}
select
    judged._rule as rule,
    judged._source as source,
    judged._load_id as load_id,
    judged._row_number as row_number,
    {{ row_key(spec['key']) }} as row_key,
    {{ texts_that_hold(broken_rules(entity)) }} as faults,
    judged._row_json as row_json
from {{ ref('stg_judged__' ~ entity) }} as judged
where judged._rule is not null and {{ is_present('judged', entity) }}
{% endmacro %}


{# The parts of a row's key as one readable text: `key`, or `key/part`. #}
{% macro row_key(keys) -%}
    {%- for key in keys %}coalesce(judged._text_{{ key }}, ''){{ " || '/' || " if not loop.last }}{% endfor -%}
{%- endmacro %}


{# True for rows of the present state: not delivered anew since, and for whole-file deliveries part of the latest one. #}
{% macro is_present(alias, entity) -%}
    not {{ alias }}._is_redelivered
    and not exists (
        select 1
        from {{ source('landing', 'loads') }} as full_loads
        where
            full_loads.is_full
            and full_loads.kind = 'rows'
            and full_loads.source = {{ alias }}._source
            and full_loads.entity = '{{ entity }}'
            and full_loads.load_id > {{ alias }}._load_id
    )
{%- endmacro %}
