-- Refunds of releases: requested between the request (billing only: the release) and some days after the release. In two windows a
-- refund belongs to the latest release whose request precedes it. A refusal beats a payment.
with releases as (
    select
        exits.client_id,
        exits.spell_number,
        exits.ended_on,
        coalesce(requests.requested_on, exits.ended_on) as window_starts_on
    from {{ ref('int_exits') }} as exits
    left join {{ ref('int_spell_requests') }} as requests
        on exits.client_id = requests.client_id and exits.spell_number = requests.spell_number
    where exits.exit_type = 'released'
),

matched as (
    select
        releases.client_id,
        releases.spell_number,
        refunds.decision
    from {{ ref('int_refunds') }} as refunds
    inner join releases
        on
            refunds.client_id = releases.client_id
            and refunds.requested_on >= releases.window_starts_on
            and refunds.requested_on <= {{ days_after('releases.ended_on', var('refund_window_days')) }}
    qualify row_number() over (
        partition by refunds.refund_id
        order by releases.window_starts_on desc, releases.spell_number desc
    ) = 1
),

final as (
    select
        client_id,
        spell_number,
        case
            when bool_or(decision = 'refused') then 'refused'
            when bool_or(decision = 'paid') then 'paid'
            else 'undecided'
        end as refund_decision
    from matched
    group by all
)

select * from final
