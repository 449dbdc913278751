-- What the contacted who came back within a year have brought in the twelve months after their return, so far.
with returns as (
    select
        kind,
        client_id,
        spell_number,
        returned_on,
        least({{ months_after('returned_on', 12) }}, {{ as_of() }}) as counted_until
    from {{ ref('int_win_back_members') }}
    where is_contacted and days_to_return <= 365
),

revenue as (
    select
        returns.kind,
        returns.client_id,
        returns.spell_number,
        sum(revenue.amount) as revenue
    from returns
    inner join {{ ref('int_revenue') }} as revenue
        on
            returns.client_id = revenue.client_id
            and revenue.received_on >= returns.returned_on
            and revenue.received_on < returns.counted_until
    group by all
),

stays as (
    select
        returns.kind,
        returns.client_id,
        returns.spell_number,
        greatest(spells.started_on, returns.returned_on) as first_day,
        {{ days_after('least(coalesce(spells.ended_on, returns.counted_until), returns.counted_until)', -1) }} as last_day
    from returns
    inner join {{ ref('int_spells') }} as spells
        on
            returns.client_id = spells.client_id
            and spells.started_on < returns.counted_until
            and (spells.ended_on is null or spells.ended_on > returns.returned_on)
),

stay_lengths as (
    select
        *,
        {{ months_between('first_day', 'last_day') }} as months_more
    from stays
),

stay_months as (
    {{ number_series('stay_lengths', 'months_more', ['kind', 'client_id', 'spell_number', 'first_day']) }}
),

months as (
    select
        kind,
        client_id,
        spell_number,
        -- Two stays may touch the same month.
        count(distinct {{ months_between("date '1990-01-01'", 'first_day') }} + number) as months
    from stay_months
    group by all
),

final as (
    select
        returns.kind,
        returns.client_id,
        returns.spell_number,
        coalesce(revenue.revenue, 0) as revenue,
        coalesce(months.months, 0) as months
    from returns
    left join revenue
        on returns.kind = revenue.kind and returns.client_id = revenue.client_id and returns.spell_number = revenue.spell_number
    left join months
        on returns.kind = months.kind and returns.client_id = months.client_id and returns.spell_number = months.spell_number
)

select * from final
