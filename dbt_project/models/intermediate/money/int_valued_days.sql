-- The days on which MRR is needed: each month's edge and the last complete day, for clients in a spell then, and each spell's last day.
with days as (
    select opening_on as day from {{ ref('int_months') }}

    union

    select closing_on as day from {{ ref('int_months') }}

    union

    select {{ days_after(as_of(), -1) }} as day
),

final as (
    select
        spells.client_id,
        spells.spell_number,
        days.day
    from days
    inner join {{ ref('int_spells') }} as spells
        on days.day >= spells.started_on and (spells.ended_on is null or days.day < spells.ended_on)

    union

    select
        spells.client_id,
        spells.spell_number,
        {{ days_after('spells.ended_on', -1) }} as day
    from {{ ref('int_spells') }} as spells
    where spells.ended_on is not null
)

select * from final
