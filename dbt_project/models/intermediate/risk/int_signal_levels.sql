-- Every signal of every exposure with its level. Nothing counted is zero; a silence without a ticket and a satisfaction without a score
-- are missing.
with bounds as (
    select
        signal,
        level,
        lower_bound,
        lead(lower_bound) over (partition by signal order by lower_bound) as upper_bound
    from {{ ref('driver_levels') }}
    where lower_bound is not null
),

levels_of_missing as (
    select
        signal,
        level
    from {{ ref('driver_levels') }}
    where lower_bound is null
),

signals as (
    select distinct signal from {{ ref('driver_levels') }}
),

found as (
    select * from {{ ref('int_signal_counts') }}

    union all

    select * from {{ ref('int_ticket_signals') }}

    union all

    select * from {{ ref('int_feedback_signals') }}

    union all

    select * from {{ ref('int_contact_signals') }}

    union all

    select
        client_id,
        observed_on,
        'tenure_band' as signal,
        cast({{ days_between('started_on', 'observed_on') }} as double) as value
    from {{ ref('int_exposures') }}
),

valued as (
    select
        exposures.client_id,
        exposures.observed_on,
        exposures.outcome_known_on,
        exposures.is_mature,
        exposures.is_churned,
        signals.signal,
        coalesce(
            found.value, case when signals.signal not in ('longest_silence', 'satisfaction') then 0 end
        ) as value
    from {{ ref('int_exposures') }} as exposures
    cross join signals
    left join found
        on
            exposures.client_id = found.client_id
            and exposures.observed_on = found.observed_on
            and signals.signal = found.signal
),

final as (
    select
        valued.*,
        valued.value is null as is_missing,
        coalesce(bounds.level, levels_of_missing.level) as level
    from valued
    left join bounds
        on
            valued.signal = bounds.signal
            and valued.value >= bounds.lower_bound
            and (bounds.upper_bound is null or valued.value < bounds.upper_bound)
    left join levels_of_missing
        on valued.signal = levels_of_missing.signal and valued.value is null
)

select * from final
