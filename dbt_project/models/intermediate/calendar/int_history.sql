-- One row: the first day of history and the last complete month.
with first_facts as (
    select min(started_on) as fact_on from {{ ref('int_contracts') }}

    union all

    select min(occurred_on) as fact_on from {{ ref('int_prepaid_events') }}
),

final as (
    select
        {% if var('history_starts_on') %}
        min(date '{{ var("history_starts_on") }}')
        {% else %}
        min(fact_on)
        {% endif %} as history_starts_on,
        {{ month_start(as_of(), -1) }} as last_mature_month
    from first_facts
)

select * from final
