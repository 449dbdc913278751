with tickets as (
    select * from {{ source('landing', 'znuny__ticket') }}
),

queues as (
    {{ latest_landed(source('landing', 'znuny__queue'), ['id']) }}
),

agreements as (
    {{ latest_landed(source('landing', 'znuny__sla'), ['id']) }}
),

articles as (
    {{ latest_landed(source('landing', 'znuny__article'), ['id']) }}
),

sender_types as (
    {{ latest_landed(source('landing', 'znuny__article_sender_type'), ['id']) }}
),

topic_values as (
    {{ latest_landed(source('landing', 'znuny__dynamic_field_value'), ['id']) }}
),

-- Znuny writes a value anew when it changes; the old one may still be here until the next reconciliation.
topics as (
    select
        object_id as ticket_id,
        value_text as topic,
        row_number() over (partition by object_id order by id desc) as place
    from topic_values
),

first_articles as (
    select
        articles.ticket_id,
        sender_types.name as sender_type,
        row_number() over (partition by articles.ticket_id order by articles.create_time, articles.id) as place
    from articles
    left join sender_types on articles.article_sender_type_id = sender_types.id
),

final as (
    select
        tickets.id as ticket_key,
        tickets.customer_id as client_key,
        queues.name as queue,
        topics.topic,
        case
            when agreements.name in ({{ "'" ~ (var('znuny_third_party_slas', ['Operator, 3 working days']) | join("', '")) ~ "'" }})
                then 'third_party'
            else 'ours'
        end as sla_class,
        {{ znuny_instant('tickets.create_time') }} as opened_at,
        -- Whoever wrote first opened it, also when an agent typed in what a client said on the phone. Before a client can see any
        -- message the creator tells: mail, web form and portal create tickets as user 1.
        case
            when first_articles.sender_type = 'customer' then 'client'
            when first_articles.sender_type is not null then 'employee'
            when tickets.create_by = 1 then 'client'
            else 'employee'
        end as opened_by,
        {{ znuny_instant('tickets.change_time') }} as updated_at,
        tickets._load_id,
        tickets._row_number
    from tickets
    left join queues on tickets.queue_id = queues.id
    left join agreements on tickets.sla_id = agreements.id
    left join topics on tickets.id = topics.ticket_id and topics.place = 1
    left join first_articles on tickets.id = first_articles.ticket_id and first_articles.place = 1
)

select * from final
