{#
    Covers after cuts. A contract that began before a cut day ends there at the latest; a release leaves alone what began after the day
    it was asked (`spares_after`). A prepaid event is cut by what happened after its own instant.
    Both arguments are relations with the columns of int_paid_covers and int_cuts. Adds `effective_end` (NULL = open), drops empty covers.
#}
{% macro cut_covers(covers, cuts) %}
    select *
    from (
        select
            covers.client_id,
            covers.cover_kind,
            covers.cover_key,
            covers.starts_on,
            covers.ends_on,
            covers.end_reason,
            covers.price_per_month,
            -- All cover rows of a group share their end, so min() only satisfies the grouping.
            least(min(covers.ends_on), min(cuts.cut_on)) as effective_end
        from {{ covers }} as covers
        left join {{ cuts }} as cuts
            on
                covers.client_id = cuts.client_id
                and (
                    (
                        covers.cover_kind = 'contract'
                        and covers.starts_on < cuts.cut_on
                        and (cuts.spares_after is null or covers.starts_on <= cuts.spares_after)
                    )
                    or (covers.cover_kind = 'prepaid' and covers.occurred_at < cuts.cut_at)
                )
        group by all
    )
    where effective_end is null or effective_end > starts_on
{% endmacro %}


{#
    Numbers the spells of each client over cut covers: covers that overlap, or are at most `grace_days` apart with no cut day in the gap
    (its ends included), join. Adds `spell_number` to the rows of `covers`.
#}
{% macro number_spells(covers, cuts) %}
    select
        islands.client_id,
        islands.cover_kind,
        islands.cover_key,
        islands.starts_on,
        islands.ends_on,
        islands.end_reason,
        islands.price_per_month,
        islands.effective_end,
        cast(sum(case when islands.begins_spell then 1 else 0 end) over (
            partition by islands.client_id
            order by islands.starts_on, islands.cover_kind, islands.cover_key
            rows between unbounded preceding and current row
        ) as integer) as spell_number
    from (
        select
            reaching.*,
            reaching.covered_until is null
            or (
                reaching.starts_on >= reaching.covered_until
                and (
                    {{ days_between('reaching.covered_until', 'reaching.starts_on') }} > {{ var('grace_days') }}
                    or exists (
                        select 1
                        from {{ cuts }} as cuts
                        where
                            cuts.client_id = reaching.client_id
                            and cuts.cut_on between reaching.covered_until and reaching.starts_on
                    )
                )
            ) as begins_spell
        from (
            select
                covers.*,
                max(coalesce(covers.effective_end, date '9999-12-31')) over (
                    partition by covers.client_id
                    order by covers.starts_on, covers.cover_kind, covers.cover_key
                    rows between unbounded preceding and 1 preceding
                ) as covered_until
            from {{ covers }} as covers
        ) as reaching
    ) as islands
{% endmacro %}
