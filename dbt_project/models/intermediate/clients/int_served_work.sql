-- Pieces of our work for a client, by the activity that has a unit cost.
select
    client_id,
    'ticket' as activity,
    count(*) as pieces
from {{ ref('int_tickets') }}
group by all

union all

select
    client_id,
    'message' as activity,
    count(*) as pieces
from {{ ref('int_ticket_messages') }}
where is_ours
group by all

union all

select
    client_id,
    channel as activity,
    count(*) as pieces
from {{ ref('int_contacts') }}
group by all
