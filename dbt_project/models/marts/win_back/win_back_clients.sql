with last_exits as (
    select *
    from {{ ref('int_exits') }}
    qualify row_number() over (partition by client_id order by spell_number desc) = 1
),

described as (
    select
        exits.client_id,
        exits.exit_type,
        exits.ended_on,
        coalesce(reasons.reason_code, 'unknown') as reason_code,
        -- A fix from before the exit did not help this client.
        case when fixes.fixed_on >= exits.ended_on then fixes.fixed_on end as fixed_on,
        lost.mrr_lost,
        clients.has_marketing_consent as consent,
        coalesce(clients.closed_on < {{ as_of() }}, false) as is_closed,
        exits.next_started_on as returned_on
    from last_exits as exits
    inner join {{ ref('int_clients') }} as clients on exits.client_id = clients.client_id
    inner join {{ ref('int_lost_mrr') }} as lost
        on exits.client_id = lost.client_id and exits.spell_number = lost.spell_number
    left join {{ ref('int_exit_reasons') }} as reasons
        on exits.client_id = reasons.client_id and exits.spell_number = reasons.spell_number
    left join {{ ref('int_reason_fixes') }} as fixes on reasons.reason_code = fixes.reason_code
),

invitations as (
    select
        described.client_id,
        min(contacts.occurred_at) as invited_at
    from described
    inner join {{ ref('int_contacts') }} as contacts
        on
            described.client_id = contacts.client_id
            and contacts.is_outbound
            and contacts.purpose = 'invitation'
            and contacts.occurred_on >= coalesce(described.fixed_on, described.ended_on)
            and (described.returned_on is null or contacts.occurred_on < described.returned_on)
    group by all
),

final as (
    select
        described.client_id,
        described.exit_type,
        described.ended_on,
        described.reason_code,
        described.fixed_on,
        described.mrr_lost,
        described.consent,
        invitations.invited_at,
        described.returned_on,
        described.fixed_on is not null
        and invitations.invited_at is null
        and described.returned_on is null
        and described.consent
        and described.exit_type not in ('dismissed', 'dissolved')
        and not described.is_closed as is_to_invite,
        {{ as_of() }} as as_of
    from described
    left join invitations on described.client_id = invitations.client_id
)

select * from final
