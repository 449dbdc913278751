with present as (
    select
        months.month,
        segments.segment,
        count(*) as clients,
        cast(coalesce(sum(people.people_met), 0) as bigint) as people_met,
        count(case when people.people_met >= 3 then 1 end) as people_met_3plus,
        count(silences.client_id) as mailing_silent
    from {{ ref('int_client_months') }} as months
    inner join {{ ref('int_client_segments') }} as segments on months.client_id = segments.client_id
    left join {{ ref('int_people_met') }} as people
        on months.client_id = people.client_id and months.month = people.month
    left join {{ ref('int_mailing_silences') }} as silences
        on months.client_id = silences.client_id and months.month = silences.month
    where months.is_closing
    group by all
),

contacts as (
    select
        contacts.client_id,
        contacts.occurred_on,
        contacts.is_outbound and contacts.purpose = 'upsell' as is_upsell,
        coalesce(contacts.employee_id = managers.employee_id, false) as is_by_own_manager
    from {{ ref('int_contacts') }} as contacts
    left join {{ ref('int_manager_periods') }} as managers
        on
            contacts.client_id = managers.client_id
            and contacts.occurred_on >= managers.started_on
            and (managers.ended_on is null or contacts.occurred_on < managers.ended_on)
),

happenings as (
    select
        client_id,
        {{ month_start('occurred_on') }} as month,
        case when is_upsell then 'upsell' else 'contact' end as kind,
        is_by_own_manager
    from contacts

    union all

    select
        client_id,
        {{ month_start('valid_from') }} as month,
        'manager_change' as kind,
        false as is_by_own_manager
    from {{ ref('int_manager_assignments') }}
    where is_change

    union all

    select
        client_id,
        {{ month_start('unsubscribed_on') }} as month,
        'unsubscription' as kind,
        false as is_by_own_manager
    from {{ ref('int_mailings') }}
    where unsubscribed_on is not null
),

counted as (
    select
        happenings.month,
        segments.segment,
        count(case when happenings.kind = 'manager_change' then 1 end) as manager_changes,
        count(case when happenings.kind in ('contact', 'upsell') then 1 end) as contacts,
        count(case when happenings.is_by_own_manager then 1 end) as contacts_by_own_manager,
        count(case when happenings.kind = 'upsell' then 1 end) as upsell_contacts,
        count(distinct case when happenings.kind = 'unsubscription' then happenings.client_id end) as unsubscribed
    from happenings
    inner join {{ ref('int_client_segments') }} as segments on happenings.client_id = segments.client_id
    group by all
),

final as (
    select
        grid.month,
        grid.segment,
        {% for column in ['clients', 'people_met', 'people_met_3plus', 'mailing_silent'] %}
        coalesce(present.{{ column }}, 0) as {{ column }},
        {% endfor %}
        {% for column in ['manager_changes', 'contacts', 'contacts_by_own_manager', 'upsell_contacts', 'unsubscribed'] %}
        coalesce(counted.{{ column }}, 0) as {{ column }},
        {% endfor %}
        {{ as_of() }} as as_of
    from {{ ref('int_month_segments') }} as grid
    left join present on grid.month = present.month and grid.segment = present.segment
    left join counted on grid.month = counted.month and grid.segment = counted.segment
)

select * from final
