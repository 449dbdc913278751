with described as (
    select
        exits.client_id,
        exits.spell_number,
        exits.tenure_days,
        requests.request_id,
        requests.requested_at,
        exits.ended_on as released_on,
        {{ days_between('requests.requested_on', 'requests.completed_on') }} as days_to_release,
        requests.bonus_offered,
        requests.obstacle,
        coalesce(reasons.reason_code, 'unknown') as reason_code,
        coalesce(refunds.refund_decision, 'none_asked') as refund_decision,
        exits.next_started_on as returned_on,
        {{ days_between('exits.ended_on', 'exits.next_started_on') }} as days_to_return,
        clients.segment,
        -- Where the wait for a return ends without one: at the clock, or with the legal entity.
        case
            when clients.closed_on >= exits.ended_on and clients.closed_on < {{ as_of() }} then clients.closed_on
            else {{ days_after(as_of(), -1) }}
        end as censored_on
    from {{ ref('int_exits') }} as exits
    left join {{ ref('int_clients') }} as clients on exits.client_id = clients.client_id
    left join {{ ref('int_spell_requests') }} as requests
        on exits.client_id = requests.client_id and exits.spell_number = requests.spell_number
    left join {{ ref('int_exit_reasons') }} as reasons
        on exits.client_id = reasons.client_id and exits.spell_number = reasons.spell_number
    left join {{ ref('int_release_refunds') }} as refunds
        on exits.client_id = refunds.client_id and exits.spell_number = refunds.spell_number
    where exits.exit_type = 'released'
),

handled as (
    select
        *,
        request_id is null as is_billing_only,
        coalesce(days_to_release > {{ var('obstruction_days') }}, false)
        or obstacle is not null
        or refund_decision = 'refused' as is_obstructed
    from described
),

final as (
    select
        handled.client_id,
        handled.spell_number,
        handled.segment,
        handled.tenure_days,
        bands.tenure_band,
        handled.requested_at,
        handled.released_on,
        handled.days_to_release,
        case
            when handled.is_billing_only then 'unknown'
            when not handled.is_billing_only and handled.is_obstructed then 'obstructed'
            when not handled.is_billing_only and not handled.is_obstructed and handled.bonus_offered then 'bonus_offered'
            when not handled.is_billing_only and not handled.is_obstructed and not handled.bonus_offered then 'free'
        end as handling,
        handled.reason_code,
        handled.refund_decision,
        handled.returned_on,
        handled.days_to_return,
        handled.returned_on is null as is_censored,
        -- Time to return as survival data: an event at its day, else censored. Events come before censoring at equal times.
        coalesce(handled.returned_on <= handled.censored_on, false) as is_return_observed,
        case
            when handled.returned_on <= handled.censored_on then handled.days_to_return
            else {{ days_between('handled.released_on', 'handled.censored_on') }}
        end as observed_days
    from handled
    left join {{ ref('tenure_bands') }} as bands
        on handled.tenure_days >= bands.from_days and (bands.to_days is null or handled.tenure_days < bands.to_days)
)

select * from final
