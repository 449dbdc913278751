select
    exits.client_id,
    exits.spell_number,
    mrr.mrr as mrr_lost
from {{ ref('int_exits') }} as exits
inner join {{ ref('int_client_mrr') }} as mrr
    on
        exits.client_id = mrr.client_id
        and exits.spell_number = mrr.spell_number
        and mrr.day = {{ days_after('exits.ended_on', -1) }}
