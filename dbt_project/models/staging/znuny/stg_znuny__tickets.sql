{% set third_party = znuny_mapping('third_party') %}

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

services as (
    {{ latest_landed(source('landing', 'znuny__service'), ['id']) }}
),

field_values as (
    select * from {{ ref('base_znuny__dynamic_field_values') }}
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
        topics.value_text as topic,
        -- The flag of a ticket is somebody's word on this very ticket; the lists speak of kinds of tickets.
        case
            when flags.is_set then 'third_party'
            when flags.is_set is not null then 'ours'
            when agreements.name in ({{ quoted_list(third_party.get('slas', [])) }}) then 'third_party'
            when services.name in ({{ quoted_list(third_party.get('services', [])) }}) then 'third_party'
            when queues.name in ({{ quoted_list(third_party.get('queues', [])) }}) then 'third_party'
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
    left join services on tickets.service_id = services.id
    left join field_values as topics on tickets.id = topics.ticket_id and topics.role = 'topic'
    left join field_values as flags on tickets.id = flags.ticket_id and flags.role = 'third_party'
    left join first_articles on tickets.id = first_articles.ticket_id and first_articles.place = 1
    where tickets.id not in (select left_out.ticket_id from {{ ref('base_znuny__left_out_tickets') }} as left_out)
)

select * from final
