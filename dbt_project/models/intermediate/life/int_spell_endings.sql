-- What the covers that end with a spell say about it. A contract that was cut earlier than its own end does not speak.
select
    spells.client_id,
    spells.spell_number,
    bool_or(covers.ends_on = spells.ended_on and covers.end_reason = 'dismissed') as says_dismissed,
    bool_or(covers.ends_on = spells.ended_on and covers.end_reason = 'request') as says_request,
    bool_or(covers.ends_on = spells.ended_on and covers.end_reason = 'non_payment') as says_non_payment,
    bool_or(covers.cover_kind = 'prepaid') as ends_prepaid
from {{ ref('int_spells') }} as spells
inner join {{ ref('int_covers') }} as covers
    on
        spells.client_id = covers.client_id
        and spells.spell_number = covers.spell_number
        and spells.ended_on = covers.effective_end
group by all
