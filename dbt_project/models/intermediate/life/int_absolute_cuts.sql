-- What ends all of a client's cover whatever its state: a dismissal and the closing of the legal entity.
select
    client_id,
    dismissed_on as cut_on,
    dismissed_at as cut_at,
    cast(null as date) as spares_after
from {{ ref('int_dismissals') }}

union all

select
    client_id,
    closed_on as cut_on,
    closed_at as cut_at,
    cast(null as date) as spares_after
from {{ ref('int_clients') }}
where closed_on < {{ as_of() }}
