with spans as (
    select
        client_id,
        spell_number,
        min(starts_on) as started_on,
        max(coalesce(effective_end, date '9999-12-31')) as last_end
    from {{ ref('int_covers') }}
    group by all
),

final as (
    select
        client_id,
        spell_number,
        started_on,
        -- A planned later end is an open end.
        case when last_end <= {{ as_of() }} then last_end end as ended_on,
        lead(started_on) over (partition by client_id order by spell_number) as next_started_on
    from spans
)

select * from final
