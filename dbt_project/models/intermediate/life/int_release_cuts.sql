-- A release cuts only when it is completed while the client is still in the spell in which it was asked; spells are joined here
-- without regard to releases. Completed later, it only names that spell's exit.
with covers as (
    {{ cut_covers(ref('int_paid_covers'), ref('int_absolute_cuts')) }}
),

numbered as (
    {{ number_spells('covers', ref('int_absolute_cuts')) }}
),

spells as (
    select
        client_id,
        spell_number,
        min(starts_on) as started_on,
        max(coalesce(effective_end, date '9999-12-31')) as ended_on
    from numbered
    group by all
),

asked as (
    select
        requests.client_id,
        requests.requested_on,
        requests.completed_at,
        requests.completed_on,
        spells.ended_on
    from {{ ref('int_termination_requests') }} as requests
    inner join spells
        on
            requests.client_id = spells.client_id
            and requests.requested_on between spells.started_on and spells.ended_on
    where requests.is_completed_release
    qualify row_number() over (partition by requests.request_id order by spells.spell_number) = 1
),

final as (
    select
        client_id,
        completed_on as cut_on,
        completed_at as cut_at,
        requested_on as spares_after
    from asked
    where completed_on < ended_on
)

select * from final
