{% set field = '%%FieldName%%' ~ (znuny_mapping('dynamic_fields').get('satisfaction') or '') ~ '%%' %}

with field_values as (
    select * from {{ ref('base_znuny__dynamic_field_values') }}
),

tickets as (
    {{ latest_landed(source('landing', 'znuny__ticket'), ['id']) }}
),

history as (
    {{ latest_landed(source('landing', 'znuny__ticket_history'), ['id']) }}
),

users as (
    select * from {{ ref('base_znuny__users') }}
),

-- The rating stands as long as it is not changed: it was given when it was last set.
ratings as (
    select
        ticket_id,
        max(create_time) as submitted_at
    from history
    where left(name, {{ field | length }}) = '{{ field }}'
    group by ticket_id
),

final as (
    select
        concat('ticket-', tickets.id) as feedback_key,
        tickets.customer_id as client_key,
        'operator_rating' as kind,
        coalesce(field_values.value_text, cast(field_values.value_int as varchar)) as score,
        'false' as is_public,
        tickets.id as ticket_key,
        users.employee_key,
        {{ znuny_instant('coalesce(ratings.submitted_at, tickets.change_time)') }} as submitted_at,
        cast(null as timestamp) as answered_at,
        cast(null as timestamp) as acted_on_at,
        {{ znuny_instant('tickets.change_time') }} as updated_at,
        tickets._load_id,
        tickets._row_number
    from field_values
    inner join tickets on field_values.ticket_id = tickets.id
    left join ratings on tickets.id = ratings.ticket_id
    left join users on tickets.user_id = users.user_id
    where
        field_values.role = 'satisfaction'
        and tickets.id not in (select left_out.ticket_id from {{ ref('base_znuny__left_out_tickets') }} as left_out)
)

select * from final
