{# Schemas are named as written (`marts`, not `main_marts`): readers and the publish step rely on them. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
