{{ config(alias='dated_events') }}

select
    event_on,
    event_name,
    {{ as_of() }} as as_of
from {{ ref('dated_events') }}
where event_on < {{ as_of() }}
