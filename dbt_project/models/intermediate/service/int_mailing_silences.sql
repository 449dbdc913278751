-- Of the mailings sent in the 90 days that end with the month, not one had been opened by its end.
with final as (
    select
        months.month,
        mailings.client_id
    from {{ ref('int_months') }} as months
    inner join {{ ref('int_mailings') }} as mailings
        on mailings.sent_on between {{ days_after('months.closing_on', -89) }} and months.closing_on
    group by all
    having count(case when mailings.opened_on <= months.closing_on then 1 end) = 0
)

select * from final
