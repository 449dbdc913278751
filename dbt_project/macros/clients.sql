{#
    Rows of one canonical entity with the client they belong to in `client_id`. Keys of the CRM stand for themselves; a key of another
    system goes through client_links once: a link for the row's own source first, then (rows of the files source) one for the domain.
#}
{% macro rows_with_client(entity) %}
    {% set domain = canonical_entities()[entity]['domain'] %}
    {% if domain == 'crm' %}
    select
        rows.*,
        rows.client_key as client_id
    from {{ ref('stg_canonical__' ~ entity) }} as rows
    {% else %}
    select
        rows.*,
        coalesce(source_links.client_key, domain_links.client_key, rows.client_key) as client_id
    from {{ ref('stg_canonical__' ~ entity) }} as rows
    left join {{ ref('int_client_links') }} as source_links
        on rows.source = source_links.linked_source and rows.client_key = source_links.source_key
    left join {{ ref('int_client_links') }} as domain_links
        on rows.source = 'files' and domain_links.linked_source = '{{ domain }}' and rows.client_key = domain_links.source_key
    {% endif %}
{% endmacro %}


{# An attribute's level: a missing one, and a company's own level that has a reserved name, is `unknown`. #}
{% macro attribute_level(column) -%}
    case when coalesce({{ column }}, 'unknown') in ('all', 'unknown') then 'unknown' else {{ column }} end
{%- endmacro %}
