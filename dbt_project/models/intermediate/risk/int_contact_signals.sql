-- Signals from who of us dealt with the client in the window: our messages and outbound contacts.
with attention as (
    select
        client_id,
        employee_id,
        sent_on as occurred_on
    from {{ ref('int_ticket_messages') }}
    where is_ours

    union all

    select
        client_id,
        employee_id,
        occurred_on
    from {{ ref('int_contacts') }}
    where is_outbound
),

counted as (
    select
        exposures.client_id,
        exposures.observed_on,
        count(distinct attention.employee_id) as people_met,
        count(attention.client_id) as contacts
    from {{ ref('int_exposures') }} as exposures
    left join attention
        on
            exposures.client_id = attention.client_id
            and attention.occurred_on >= exposures.window_starts_on
            and attention.occurred_on < exposures.observed_on
    group by all
),

final as (
    select
        client_id,
        observed_on,
        'people_met' as signal,
        cast(people_met as double) as value
    from counted

    union all

    select
        client_id,
        observed_on,
        'no_contact' as signal,
        cast(case when contacts = 0 then 1 else 0 end as double) as value
    from counted
)

select * from final
