-- What happened to a client in the days before an exit: [ended_on - 90, ended_on), the day of the exit is not inside.
{% set window_days = 90 %}
{% set upsell_contacts = 3 %}
with events as (
    select
        client_id,
        issued_on as happened_on,
        'fee' as kind
    from {{ ref('int_invoice_lines') }}
    where kind = 'fee'

    union all

    select
        client_id,
        started_on as happened_on,
        'price_rise' as kind
    from {{ ref('int_price_rises') }}

    union all

    select
        client_id,
        disputed_on as happened_on,
        'dispute' as kind
    from {{ ref('int_invoices') }}
    where disputed_on is not null

    union all

    select
        client_id,
        coalesce(decided_on, requested_on) as happened_on,
        'refusal' as kind
    from {{ ref('int_refunds') }}
    where decision = 'refused'

    union all

    select
        client_id,
        occurred_on as happened_on,
        'upsell' as kind
    from {{ ref('int_contacts') }}
    where is_outbound and purpose = 'upsell'

    union all

    select
        client_id,
        unsubscribed_on as happened_on,
        'unsubscription' as kind
    from {{ ref('int_mailings') }}
    where unsubscribed_on is not null
),

final as (
    select
        exits.client_id,
        exits.spell_number,
        exits.ended_on,
        {% for kind in ['fee', 'price_rise', 'dispute', 'refusal'] %}
        count(case when events.kind = '{{ kind }}' then 1 end) > 0 as has_{{ kind }},
        {% endfor %}
        count(case when events.kind = 'upsell' then 1 end) >= {{ upsell_contacts }} as has_upsell,
        count(case when events.kind = 'unsubscription' then 1 end) > 0 as has_unsubscription
    from {{ ref('int_exits') }} as exits
    left join events
        on
            exits.client_id = events.client_id
            and events.happened_on >= {{ days_after('exits.ended_on', -window_days) }}
            and events.happened_on < exits.ended_on
    group by exits.client_id, exits.spell_number, exits.ended_on
)

select * from final
