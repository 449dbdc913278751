-- Exit type of each closed spell. The predicates exclude one another, so their order does not matter.
with evidence as (
    select
        spells.client_id,
        spells.spell_number,
        spells.started_on,
        spells.ended_on,
        spells.next_started_on,
        coalesce(endings.says_dismissed, false) or exists (
            select 1
            from {{ ref('int_dismissals') }} as dismissals
            where
                dismissals.client_id = spells.client_id
                and dismissals.dismissed_on > spells.started_on
                and dismissals.dismissed_on <= spells.ended_on
        ) as is_dismissed,
        coalesce(
            clients.closed_on > spells.started_on and clients.closed_on <= spells.ended_on and clients.closed_on < {{ as_of() }}, false
        ) as is_dissolved,
        requests.request_id is not null or coalesce(endings.says_request, false) as is_released,
        coalesce(endings.says_non_payment, false) and not coalesce(endings.ends_prepaid, false) as is_unpaid
    from {{ ref('int_spells') }} as spells
    left join {{ ref('int_clients') }} as clients on spells.client_id = clients.client_id
    left join {{ ref('int_spell_endings') }} as endings
        on spells.client_id = endings.client_id and spells.spell_number = endings.spell_number
    left join {{ ref('int_spell_requests') }} as requests
        on spells.client_id = requests.client_id and spells.spell_number = requests.spell_number
    where spells.ended_on is not null
),

typed as (
    select
        *,
        case
            when is_dismissed then 'dismissed'
            when not is_dismissed and is_dissolved then 'dissolved'
            when not is_dismissed and not is_dissolved and is_released then 'released'
            when not is_dismissed and not is_dissolved and not is_released and is_unpaid then 'payment_failure'
            when not is_dismissed and not is_dissolved and not is_released and not is_unpaid then 'lapsed'
        end as exit_type
    from evidence
),

final as (
    select
        client_id,
        spell_number,
        started_on,
        ended_on,
        next_started_on,
        exit_type,
        exit_type <> 'dismissed' as is_regretted,
        exit_type in ('released', 'lapsed') as is_voluntary,
        case exit_type
            when 'released' then 'active'
            when 'lapsed' then 'passive'
            when 'payment_failure' then 'passive'
            else 'none'
        end as defector,
        {{ days_between('started_on', 'ended_on') }} as tenure_days
    from typed
)

select * from final
