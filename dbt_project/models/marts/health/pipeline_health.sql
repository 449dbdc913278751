{# Per entity: the key of a parent that may be missing, the parent entity, and the day of the row (none: it has no day of its own). #}
{% set parents = {
    'ticket_events': ['ticket_key', 'tickets', local_date('rows.occurred_at')],
    'messages': ['ticket_key', 'tickets', local_date('rows.sent_at')],
    'manager_assignments': ['employee_key', 'employees', 'rows.valid_from'],
    'invoice_lines': ['invoice_key', 'invoices', none],
} %}
{% set entities = canonical_entities() %}
{# Entities of the CRM that belong to a client, with the day of the row. #}
{% set crm_entities_of_clients = {
    'manager_assignments': 'rows.valid_from',
    'deals': local_date('rows.created_at'),
    'contacts': local_date('rows.occurred_at'),
    'termination_requests': local_date('rows.requested_at'),
    'exit_interviews': local_date('rows.invited_at'),
    'mailings': local_date('rows.sent_at'),
} %}

with row_loads as (
    select
        source,
        load_id,
        max(loaded_at) as loaded_at
    from {{ source('landing', 'loads') }}
    where kind = 'rows'
    group by all
),

counted as (
    {% for entity in entities %}
    {% set columns = entities[entity]['columns'] | map(attribute=0) | list %}
    select
        judged._source as source,
        '{{ entity }}' as entity,
        max(loads.loaded_at) as last_loaded_at,
        count(case when {{ is_present('judged', entity) }} then 1 end) as rows_landed,
        count(case when judged._rule is null and judged._version = 1 then 1 end) as rows_in_warehouse,
        count(case when judged._rule is not null and {{ is_present('judged', entity) }} then 1 end) as rows_quarantined
    from {{ ref('stg_judged__' ~ entity) }} as judged
    left join row_loads as loads on judged._source = loads.source and judged._load_id = loads.load_id
    group by all
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Keys of clients that the CRM does not know.
unmatched_clients as (
    select
        keys.source,
        keys.entity,
        count(distinct keys.client_id) as unmatched_keys
    from {{ ref('int_client_keys') }} as keys
    inner join {{ ref('int_clients') }} as clients on keys.client_id = clients.client_id
    where not clients.is_in_crm
    group by all

    {% for entity, day in crm_entities_of_clients.items() %}
    union all

    select
        rows.source,
        '{{ entity }}' as entity,
        count(distinct rows.client_key) as unmatched_keys
    from {{ ref('stg_canonical__' ~ entity) }} as rows
    left join {{ ref('stg_canonical__clients') }} as clients on rows.client_key = clients.client_key
    where clients.client_key is null and {{ day }} < {{ as_of() }}
    group by all
    {% endfor %}
),

-- Rows whose parent is missing, and dismissals and closings that fall on no spell.
unmatched_rows as (
    {% for entity, parent in parents.items() %}
    select
        rows.source,
        '{{ entity }}' as entity,
        count(*) as unmatched_keys
    from {{ ref('stg_canonical__' ~ entity) }} as rows
    left join {{ ref('stg_canonical__' ~ parent[1]) }} as parents
        on rows.source = parents.source and rows.{{ parent[0] }} = parents.{{ parent[0] }}
    where parents.source is null{% if parent[2] %} and {{ parent[2] }} < {{ as_of() }}{% endif %}
    group by all

    union all

    {% endfor %}

    select
        dismissals.source,
        'dismissals' as entity,
        count(*) as unmatched_keys
    from {{ ref('stg_canonical__dismissals') }} as dismissals
    where
        {{ local_date('dismissals.dismissed_at') }} < {{ as_of() }}
        and not exists (
            select 1
            from {{ ref('int_spells') }} as spells
            where
                spells.client_id = dismissals.client_key
                and {{ local_date('dismissals.dismissed_at') }} > spells.started_on
                and {{ local_date('dismissals.dismissed_at') }} <= coalesce(spells.ended_on, date '9999-12-31')
        )
    group by all

    union all

    select
        closed.source,
        'clients' as entity,
        count(*) as unmatched_keys
    from {{ ref('stg_canonical__clients') }} as closed
    where
        {{ local_date('closed.closed_at') }} < {{ as_of() }}
        and not exists (
            select 1
            from {{ ref('int_spells') }} as spells
            where
                spells.client_id = closed.client_key
                and {{ local_date('closed.closed_at') }} > spells.started_on
                and {{ local_date('closed.closed_at') }} <= coalesce(spells.ended_on, date '9999-12-31')
        )
    group by all
),

unmatched as (
    select
        source,
        entity,
        cast(sum(unmatched_keys) as bigint) as unmatched_keys
    from (
        select * from unmatched_clients

        union all

        select * from unmatched_rows
    ) as both_kinds
    group by all
),

-- A source is complete up to the day that all of its entities have reached.
source_progress as (
    select
        source,
        min(complete_until) as complete_until
    from (
        select
            source,
            entity,
            max(complete_until) as complete_until
        from {{ source('landing', 'loads') }}
        where kind = 'rows'
        group by all
    ) as entity_progress
    group by all
),

delivering as (
    {% for system in var('sources') %}
    {% set outer_last = loop.last %}
    {% for entity in delivered_entities(system) %}
    select
        '{{ system }}' as source,
        '{{ entity }}' as entity
    {{ 'union all' if not (loop.last and outer_last) }}
    {% endfor %}
    {% endfor %}
),

final as (
    select
        delivering.source,
        delivering.entity,
        counted.last_loaded_at,
        source_progress.complete_until,
        coalesce(counted.rows_landed, 0) as rows_landed,
        coalesce(counted.rows_in_warehouse, 0) as rows_in_warehouse,
        coalesce(counted.rows_quarantined, 0) as rows_quarantined,
        coalesce(unmatched.unmatched_keys, 0) as unmatched_keys,
        {{ as_of() }} as as_of
    from delivering
    left join counted on delivering.source = counted.source and delivering.entity = counted.entity
    left join unmatched on delivering.source = unmatched.source and delivering.entity = unmatched.entity
    left join source_progress on delivering.source = source_progress.source
)

select * from final
