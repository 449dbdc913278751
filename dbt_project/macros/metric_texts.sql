{#
    The metrics: every column of a mart whose YAML says `config: {meta: {metric: …}}`, read from dbt's own graph, so that a text exists
    once. The graph is whole whatever is selected, and its descriptions are rendered: the doc block's text stands in them.
    One dictionary per metric, ordered by key: key, name, mart, numerator, denominator, definition, mission_rows.
#}
{% macro metric_anchors() %}
    {% set anchors = [] %}
    {% if execute %}
        {% for node in graph.nodes.values() if node.resource_type == 'model' and node.fqn[1] == 'marts' %}
            {% for column in node.columns.values() if column.config.meta.metric %}
                {% do anchors.append(dict(column.config.meta.metric, mart=node.alias, definition=column.description)) %}
            {% endfor %}
        {% endfor %}
    {% endif %}
    {{ return(anchors | sort(attribute='key')) }}
{% endmacro %}


{# A text of the project's own files as a literal on one line; none, or one left out, becomes NULL. #}
{% macro text_literal(text) -%}
    {% if text is not defined or text is none %}cast(null as varchar){% else -%}
    cast('{{ (text | string).split() | join(" ") | replace("'", "''") }}' as varchar){% endif %}
{%- endmacro %}
