-- The request that names a spell's exit. A request names only the first spell it fits: asked in the spell, or in the grace days after
-- it and before the next one.
with fitting as (
    select
        requests.*,
        spells.spell_number,
        spells.ended_on
    from {{ ref('int_termination_requests') }} as requests
    inner join {{ ref('int_spells') }} as spells
        on
            requests.client_id = spells.client_id
            and requests.requested_on >= spells.started_on
            and (
                spells.ended_on is null
                or requests.requested_on <= spells.ended_on
                or (
                    requests.requested_on <= {{ days_after('spells.ended_on', var('grace_days')) }}
                    and (spells.next_started_on is null or requests.requested_on < spells.next_started_on)
                )
            )
    where requests.is_completed_release
    qualify row_number() over (partition by requests.request_id order by spells.spell_number) = 1
),

final as (
    select *
    from fitting
    where completed_on >= {{ days_after('ended_on', '-' ~ var('grace_days')) }}
    qualify row_number() over (
        partition by client_id, spell_number
        order by completed_at, requested_at, request_id
    ) = 1
)

select * from final
