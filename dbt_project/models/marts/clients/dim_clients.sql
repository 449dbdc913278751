select
    clients.client_id,
    clients.segment,
    clients.size_band,
    clients.region,
    clients.acquisition_channel,
    managers.employee_id as manager_id,
    states.first_started_on,
    states.status,
    states.spells,
    states.mrr,
    states.lifetime_revenue,
    clients.is_in_crm,
    {{ as_of() }} as as_of
from {{ ref('int_clients') }} as clients
inner join {{ ref('int_client_states') }} as states on clients.client_id = states.client_id
left join {{ ref('int_account_managers') }} as managers on clients.client_id = managers.client_id
