select
    spells.client_id,
    spells.spell_number,
    spells.started_on,
    spells.ended_on,
    exits.exit_type,
    exits.is_regretted,
    exits.is_voluntary,
    exits.defector,
    {{ days_between('spells.started_on', 'coalesce(spells.ended_on, ' ~ as_of() ~ ')') }} as tenure_days,
    {{ as_of() }} as as_of
from {{ ref('int_spells') }} as spells
left join {{ ref('int_exits') }} as exits
    on spells.client_id = exits.client_id and spells.spell_number = exits.spell_number
