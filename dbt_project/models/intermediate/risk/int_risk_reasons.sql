-- Of each present client: the three signals that add most to its score, in words, and the signals of which nothing is known.
with contributions as (
    select contributions.*
    from {{ ref('int_risk_contributions') }} as contributions
    where not contributions.is_mature
),

ranked as (
    select
        contributions.client_id,
        coalesce(texts.reason, replace(contributions.signal, '_', ' ') || ': ' || contributions.level) as reason,
        row_number() over (
            partition by contributions.client_id
            order by round(contributions.contribution, 9) desc, contributions.signal asc
        ) as place
    from contributions
    left join {{ ref('driver_texts') }} as texts
        on contributions.signal = texts.signal and contributions.level = texts.level
    where contributions.contribution > 0
),

missing as (
    select
        client_id,
        {{ joined_text('signal') }} as missing_signals
    from contributions
    where is_missing
    group by all
),

final as (
    select
        clients.client_id,
        {% for place in [1, 2, 3] %}
        max(case when ranked.place = {{ place }} then ranked.reason end) as reason_{{ place }},
        {% endfor %}
        coalesce(max(missing.missing_signals), '') as missing_signals
    from (select distinct client_id from contributions) as clients
    left join ranked on clients.client_id = ranked.client_id
    left join missing on clients.client_id = missing.client_id
    group by all
)

select * from final
