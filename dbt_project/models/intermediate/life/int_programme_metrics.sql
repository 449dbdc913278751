-- The rates that a programme is judged by, per month of the whole company. Of a rate that waits, a month is known once it is mature.
{% set metrics = {
    'churn_rate': ['clients.churned', 'clients.opening', 'true'],
    'regretted_churn_rate': ['clients.regretted', 'clients.opening', 'true'],
    'annual_churn_rate': ['years.churned', 'years.opening', 'months.year_ago_on is not null'],
    'return_rate_90': ['releases.returned', 'releases.releases', days_after('months.closing_on', 90) ~ ' < ' ~ as_of()],
    'first_100_days_churn': ['starts.churned', 'starts.started', days_after('months.closing_on', 100) ~ ' <= ' ~ as_of()],
    'first_response_attainment': ['tickets.first_response_met', 'tickets.first_response_judged', 'true'],
    'resolution_attainment': ['tickets.resolution_met', 'tickets.resolution_judged', 'true'],
} %}
with clients as (
    select
        month,
        count(case when is_opening then 1 end) as opening,
        count(case when is_churned then 1 end) as churned,
        count(case when is_churned and exit_type <> 'dismissed' then 1 end) as regretted
    from {{ ref('int_client_months') }}
    group by all
),

years as (
    select
        month,
        count(*) as opening,
        count(case when is_churned then 1 end) as churned
    from {{ ref('int_client_years') }}
    group by all
),

releases as (
    select
        {{ month_start('released_on') }} as month,
        count(*) as releases,
        count(case when days_to_return <= 90 then 1 end) as returned
    from {{ ref('int_releases') }}
    group by all
),

starts as (
    select
        {{ month_start('spells.started_on') }} as month,
        count(*) as started,
        count(case when exits.tenure_days < 100 then 1 end) as churned
    from {{ ref('int_spells') }} as spells
    left join {{ ref('int_exits') }} as exits
        on spells.client_id = exits.client_id and spells.spell_number = exits.spell_number
    where spells.spell_number = 1
    group by all
),

tickets as (
    select
        {{ month_start('opened_on') }} as month,
        {% for target in ['first_response', 'resolution'] %}
        count(case when {{ target }}_state = 'met' then 1 end) as {{ target }}_met,
        count({{ target }}_state) as {{ target }}_judged{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('int_ticket_responses') }}
    group by all
),

final as (
    {% for metric, (numerator, denominator, is_known) in metrics.items() %}
    select
        months.month,
        '{{ metric }}' as metric,
        coalesce({{ numerator }}, 0) as numerator,
        coalesce({{ denominator }}, 0) as denominator,
        {{ is_known }} as is_known
    from {{ ref('int_months') }} as months
    left join {{ numerator.split('.')[0] }} on months.month = {{ numerator.split('.')[0] }}.month
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}
)

select * from final
