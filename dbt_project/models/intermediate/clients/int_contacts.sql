with contacts as (
    select
        source || ':' || contact_key as contact_id,
        client_key as client_id,
        employee_key,
        direction,
        channel,
        purpose,
        occurred_at,
        {{ local_date('occurred_at') }} as occurred_on,
        direction = 'outbound' as is_outbound
    from {{ ref('stg_canonical__contacts') }}
),

final as (
    select
        contacts.contact_id,
        contacts.client_id,
        employees.employee_id,
        contacts.direction,
        contacts.channel,
        contacts.purpose,
        contacts.occurred_at,
        contacts.occurred_on,
        contacts.is_outbound
    from contacts
    left join {{ ref('int_employees') }} as employees on contacts.employee_key = employees.employee_id
    where
        contacts.occurred_on < {{ as_of() }}
        -- A contact with nobody we know has lost its parent.
        and contacts.client_id in (select clients.client_id from {{ ref('int_clients') }} as clients)
)

select * from final
