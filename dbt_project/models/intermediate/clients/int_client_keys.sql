{# Entity → the day of its fact, NULL for a row that has none of its own. #}
{% set dated_entities = [
    ['contracts', 'started_on'],
    ['prepaid_events', local_date('occurred_at')],
    ['invoices', local_date('issued_at')],
    ['payments', local_date('paid_at')],
    ['refunds', local_date('requested_at')],
    ['tickets', local_date('opened_at')],
    ['feedback', local_date('submitted_at')],
] %}
{% for dated_entity in dated_entities %}
select
    source,
    '{{ dated_entity[0] }}' as entity,
    client_id
from ({{ rows_with_client(dated_entity[0]) }})
where {{ dated_entity[1] }} < {{ as_of() }}
group by all
{% if not loop.last %}union all{% endif %}
{% endfor %}
