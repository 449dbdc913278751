-- A day before the first known rate takes that one: an old contract in a currency must not lose its price.
select
    upper(currency) as currency,
    case
        when row_number() over (partition by currency order by valid_from) = 1 then date '0001-01-01'
        else valid_from
    end as valid_from,
    coalesce(lead(valid_from) over (partition by currency order by valid_from), date '9999-12-31') as valid_to,
    rate
from {{ ref('exchange_rates') }}
