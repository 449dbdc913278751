-- What was said before the opening belongs to the prehistory of a ticket (an e-mail that became one) and is left out.
with final as (
    select
        messages.source || ':' || messages.message_key as message_id,
        tickets.ticket_id,
        tickets.client_id,
        messages.author,
        messages.author = 'employee' as is_ours,
        employees.employee_id,
        messages.sent_at,
        {{ local_date('messages.sent_at') }} as sent_on,
        {{ business_clock('messages.sent_at', 'sent_days') }} as sent_clock
    from {{ ref('stg_canonical__messages') }} as messages
    inner join {{ ref('int_tickets') }} as tickets
        on messages.source || ':' || messages.ticket_key = tickets.ticket_id
    left join {{ ref('int_employees') }} as employees on messages.employee_key = employees.employee_id
    {{ join_business_day('messages.sent_at', 'sent_days') }}
    where
        messages.sent_at >= tickets.opened_at
        and {{ local_date('messages.sent_at') }} < {{ as_of() }}
)

select * from final
