with articles as (
    select * from {{ source('landing', 'znuny__article') }}
),

sender_types as (
    {{ latest_landed(source('landing', 'znuny__article_sender_type'), ['id']) }}
),

users as (
    select * from {{ ref('base_znuny__users') }}
),

final as (
    select
        articles.id as message_key,
        articles.ticket_id as ticket_key,
        -- Auto-replies are written by the sender type "system"; what user 1 writes as an agent, a job of the system does.
        case
            when sender_types.name = 'agent' and articles.create_by = 1 then 'auto'
            else {{ coded('sender_types.name', {'customer': 'client', 'agent': 'employee', 'system': 'auto'}) }}
        end as author,
        case when sender_types.name = 'agent' then users.employee_key end as employee_key,
        {{ znuny_instant('articles.create_time') }} as sent_at,
        {{ znuny_instant('articles.change_time') }} as updated_at,
        articles._load_id,
        articles._row_number
    from articles
    left join sender_types on articles.article_sender_type_id = sender_types.id
    left join users on articles.create_by = users.user_id
    where articles.ticket_id not in (select left_out.ticket_id from {{ ref('base_znuny__left_out_tickets') }} as left_out)
)

select * from final
