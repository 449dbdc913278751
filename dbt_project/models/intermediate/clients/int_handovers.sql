-- From sales to service: the first contact of ours after the first start, and the welcome call about a month later.
{% set welcome_from, welcome_until = 20, 45 %}
with starts as (
    select * from {{ ref('int_spells') }}
    where spell_number = 1
),

service_contacts as (
    select
        client_id,
        purpose,
        occurred_on
    from {{ ref('int_contacts') }}
    where is_outbound and purpose in ('service', 'welcome')
),

final as (
    select
        starts.client_id,
        starts.started_on,
        {{ days_between('starts.started_on', 'min(contacts.occurred_on)') }} as days_to_contact,
        starts.ended_on is null or starts.ended_on > {{ days_after('starts.started_on', welcome_until) }} as is_welcome_due,
        coalesce(
            bool_or(
                contacts.purpose = 'welcome'
                and contacts.occurred_on >= {{ days_after('starts.started_on', welcome_from) }}
                and contacts.occurred_on <= {{ days_after('starts.started_on', welcome_until) }}
            ),
            false
        ) as is_welcomed
    from starts
    left join service_contacts as contacts
        on starts.client_id = contacts.client_id and starts.started_on <= contacts.occurred_on
    group by starts.client_id, starts.started_on, starts.ended_on
)

select * from final
