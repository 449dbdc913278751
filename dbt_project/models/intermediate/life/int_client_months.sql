-- One row per client and month in which the client was in at an edge or on any day.
with present as (
    select distinct
        months.month,
        months.opening_on,
        months.closing_on,
        spells.client_id
    from {{ ref('int_months') }} as months
    inner join {{ ref('int_spells') }} as spells
        on spells.started_on <= months.closing_on and (spells.ended_on is null or spells.ended_on >= months.month)
),

edged as (
    select
        present.*,
        opening.client_id is not null as is_opening,
        closing.client_id is not null as is_closing,
        closing.spell_number as closing_spell,
        coalesce(opening.mrr, 0) as opening_mrr,
        coalesce(closing.mrr, 0) as closing_mrr
    from present
    left join {{ ref('int_client_mrr') }} as opening
        on present.client_id = opening.client_id and present.opening_on = opening.day
    left join {{ ref('int_client_mrr') }} as closing
        on present.client_id = closing.client_id and present.closing_on = closing.day
),

last_exits as (
    select
        edged.client_id,
        edged.month,
        max_by(exits.exit_type, exits.ended_on) as exit_type
    from edged
    inner join {{ ref('int_exits') }} as exits
        on edged.client_id = exits.client_id and exits.ended_on between edged.month and edged.closing_on
    where edged.is_opening and not edged.is_closing
    group by all
),

final as (
    select
        edged.client_id,
        edged.month,
        edged.is_opening,
        edged.is_closing,
        edged.is_opening and not edged.is_closing as is_churned,
        last_exits.exit_type,
        cast(edged.opening_mrr as decimal(18, 2)) as opening_mrr,
        cast(edged.closing_mrr as decimal(18, 2)) as closing_mrr,
        -- By spells, never by money alone: one who came back is `returned`, whatever they pay.
        case
            when not edged.is_opening and edged.is_closing and edged.closing_spell = 1 then 'new'
            when not edged.is_opening and edged.is_closing and edged.closing_spell > 1 then 'returned'
            when edged.is_opening and not edged.is_closing then 'churned'
            when edged.is_opening and edged.is_closing and edged.closing_mrr > edged.opening_mrr then 'expansion'
            when edged.is_opening and edged.is_closing and edged.closing_mrr < edged.opening_mrr then 'contraction'
            when edged.is_opening and edged.is_closing and edged.closing_mrr = edged.opening_mrr then 'retained'
            when not edged.is_opening and not edged.is_closing then 'joined_and_left'
        end as movement,
        cast(edged.closing_mrr - edged.opening_mrr as decimal(18, 2)) as mrr_change
    from edged
    left join last_exits on edged.client_id = last_exits.client_id and edged.month = last_exits.month
)

select * from final
