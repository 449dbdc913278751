select
    client_id,
    'contract' as cover_kind,
    contract_id as cover_key,
    started_on as starts_on,
    ended_on as ends_on,
    end_reason,
    price_per_month,
    cast(null as timestamp with time zone) as occurred_at
from {{ ref('int_contracts') }}
where is_paid

union all

select
    client_id,
    'prepaid' as cover_kind,
    prepaid_event_id as cover_key,
    occurred_on as starts_on,
    {{ days_after('occurred_on', var('lapse_days')) }} as ends_on,
    cast(null as varchar) as end_reason,
    cast(0 as decimal(18, 2)) as price_per_month,
    occurred_at
from {{ ref('int_prepaid_events') }}
where is_paid
