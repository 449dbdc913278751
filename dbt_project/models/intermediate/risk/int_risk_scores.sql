-- Nine digits, so that a sum does not depend on the order of its parts.
select
    known_on,
    client_id,
    observed_on,
    is_mature,
    is_churned,
    round(sum(contribution), 9) as score
from {{ ref('int_risk_contributions') }}
group by all
