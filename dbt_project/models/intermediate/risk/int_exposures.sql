-- Clients in a spell on the day before T, and whether that spell ended in the 90 days from T. An end that was not the client's choice
-- says nothing about why clients leave: such an exposure is left out.
with exposed as (
    select
        spells.client_id,
        spells.spell_number,
        spells.started_on,
        dates.observed_on,
        dates.window_starts_on,
        dates.outcome_known_on,
        dates.observed_at,
        dates.window_starts_at,
        dates.is_mature,
        case
            when exits.ended_on >= dates.observed_on and exits.ended_on < dates.outcome_known_on then exits.exit_type
        end as exit_type
    from {{ ref('int_exposure_dates') }} as dates
    inner join {{ ref('int_spells') }} as spells
        on
            spells.started_on < dates.observed_on
            and (spells.ended_on is null or spells.ended_on >= dates.observed_on)
    left join {{ ref('int_exits') }} as exits
        on spells.client_id = exits.client_id and spells.spell_number = exits.spell_number
),

final as (
    select
        client_id,
        spell_number,
        started_on,
        observed_on,
        window_starts_on,
        outcome_known_on,
        observed_at,
        window_starts_at,
        is_mature,
        case when is_mature then coalesce(exit_type in ('released', 'lapsed', 'payment_failure'), false) end as is_churned
    from exposed
    where not is_mature or coalesce(exit_type not in ('dismissed', 'dissolved'), true)
)

select * from final
