with final as (
    select
        months.month,
        quality.queue,
        count(*) as tickets,
        cast(sum(quality.promise_changes) as bigint) as promise_changes,
        count(case when quality.promise_changes > 0 then 1 end) as promise_changed_tickets,
        count(case when quality.is_reopened then 1 end) as reopened,
        count(case when quality.is_repeat then 1 end) as repeats_30d,
        count(case when quality.is_in_a_row then 1 end) as in_a_row,
        {{ business_hours('max(quality.longest_silence_clock)') }} as longest_silence_hours,
        {% for days in [1, 3, 7] %}
        cast(sum(quality.unanswered_{{ days }}d) as bigint) as unanswered_{{ days }}d,
        {% endfor %}
        {{ as_of() }} as as_of
    from {{ ref('int_ticket_quality') }} as quality
    inner join {{ ref('int_months') }} as months on {{ month_start('quality.opened_on') }} = months.month
    group by months.month, quality.queue
)

select * from final
