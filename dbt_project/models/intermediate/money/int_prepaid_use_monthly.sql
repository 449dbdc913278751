select
    client_id,
    {{ month_start('occurred_on') }} as month,
    sum(amount) as used
from {{ ref('int_prepaid_events') }}
where kind = 'usage'
group by all
