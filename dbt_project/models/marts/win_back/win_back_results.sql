with members as (
    select
        members.*,
        returns.revenue,
        returns.months
    from {{ ref('int_win_back_members') }} as members
    left join {{ ref('int_win_back_returns') }} as returns
        on
            members.kind = returns.kind
            and members.client_id = returns.client_id
            and members.spell_number = returns.spell_number
),

counted as (
    select
        month,
        kind,
        {% for column, condition in [('contacted', 'is_contacted'), ('uncontacted', 'not is_contacted')] %}
        count(case when {{ condition }} then 1 end) as {{ column }},
        count(case when {{ condition }} and days_to_return <= 365 then 1 end) as {{ column }}_returned,
        count(case when {{ condition }} and days_to_return <= 90 then 1 end) as {{ column }}_returned_90d,
        {% endfor %}
        sum(cost) as cost,
        sum(coalesce(revenue, 0)) as revenue_back,
        sum(coalesce(months, 0)) as margin_months
    from members
    group by all
),

judged as (
    select
        counted.*,
        case counted.kind
            when 'win_back' then {{ days_after('months.closing_on', 30) }}
            when 'invitation' then months.closing_on
        end as last_landmark_on
    from counted
    inner join {{ ref('int_months') }} as months on counted.month = months.month
),

final as (
    select
        month,
        kind,
        contacted,
        {% for days, suffix in [(365, ''), (90, '_90d')] %}
        case
            when {{ days_after('last_landmark_on', days) }} < {{ as_of() }} then contacted_returned{{ suffix }}
        end as returned{{ suffix }},
        {% endfor %}
        uncontacted,
        {% for days, suffix in [(365, ''), (90, '_90d')] %}
        case
            when {{ days_after('last_landmark_on', days) }} < {{ as_of() }} then uncontacted_returned{{ suffix }}
        end as uncontacted_returned{{ suffix }},
        {% endfor %}
        cast(round(cost, 2) as decimal(18, 2)) as cost,
        cast(round({{ share_of_money('revenue_back', var('margin_share')) }}, 2) as decimal(18, 2)) as margin_back,
        cast(margin_months as bigint) as margin_months,
        {{ as_of() }} as as_of
    from judged
)

select * from final
