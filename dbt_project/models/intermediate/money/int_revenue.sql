-- What a client brought and got back. Money returned counts on the day of the decision, before it has a date on the day it was asked.
select
    client_id,
    paid_on as received_on,
    amount
from {{ ref('int_payments') }}
where status = 'succeeded'

union all

select
    client_id,
    coalesce(decided_on, requested_on) as received_on,
    -amount as amount
from {{ ref('int_refunds') }}
where decision = 'paid'
