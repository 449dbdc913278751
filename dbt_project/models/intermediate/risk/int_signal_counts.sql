-- Events of the 90 days before T; changes of manager are looked at over a year, and an unsubscription is for good.
select
    exposures.client_id,
    exposures.observed_on,
    events.signal,
    cast(count(*) as double) as value
from {{ ref('int_exposures') }} as exposures
inner join {{ ref('int_signal_events') }} as events
    on
        exposures.client_id = events.client_id
        and events.occurred_on < exposures.observed_on
        and (
            events.occurred_on >= exposures.window_starts_on
            or (events.signal = 'manager_changes' and events.occurred_on >= {{ days_after('exposures.observed_on', -365) }})
            or events.signal = 'unsubscribed'
        )
group by all
