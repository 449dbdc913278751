-- Whom we could win back, and whether we tried. Silence: those who stayed away for the first days after they lapsed, and the calls in
-- these days. A fix: its leavers, and the invitations from the fix until they came back. Both are judged from the landmark day on, so
-- that nobody counts as contacted because they stayed away long enough to be.
{% set call_days = 30 %}
with members as (
    select
        'win_back' as kind,
        client_id,
        spell_number,
        next_started_on,
        ended_on as cohort_on,
        {{ days_after('ended_on', call_days) }} as landmark_on,
        ended_on as contacts_from,
        {{ days_after('ended_on', call_days) }} as contacts_until
    from {{ ref('int_exits') }}
    where
        exit_type = 'lapsed'
        and {{ days_after('ended_on', call_days) }} < {{ as_of() }}
        and (next_started_on is null or next_started_on > {{ days_after('ended_on', call_days) }})

    union all

    select
        'invitation' as kind,
        client_id,
        spell_number,
        next_started_on,
        fixed_on as cohort_on,
        fixed_on as landmark_on,
        fixed_on as contacts_from,
        {{ days_after('coalesce(next_started_on, ' ~ as_of() ~ ')', -1) }} as contacts_until
    from {{ ref('int_leavers') }}
    where exit_type not in ('dismissed', 'dissolved')
),

final as (
    select
        members.kind,
        members.client_id,
        members.spell_number,
        {{ month_start('members.cohort_on') }} as month,
        members.landmark_on,
        members.next_started_on as returned_on,
        {{ days_between('members.landmark_on', 'members.next_started_on') }} as days_to_return,
        count(contacts.contact_id) > 0 as is_contacted,
        coalesce(sum(costs.unit_cost), 0) as cost
    from members
    left join {{ ref('int_contacts') }} as contacts
        on
            members.client_id = contacts.client_id
            and contacts.is_outbound
            -- The purpose of the contact is called as the kind of cohort is.
            and members.kind = contacts.purpose
            and contacts.occurred_on between members.contacts_from and members.contacts_until
    left join {{ ref('unit_costs') }} as costs on contacts.channel = costs.activity
    group by members.kind, members.client_id, members.spell_number, members.cohort_on, members.landmark_on, members.next_started_on
)

select * from final
