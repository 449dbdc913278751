-- Where is it? Two messages of the client with no human message of ours between them; automatic ones do not break the row.
with exchanged as (
    select
        ticket_id,
        author,
        lag(author) over (partition by ticket_id order by sent_at, message_id) as author_before
    from {{ ref('int_ticket_messages') }}
    where author in ('client', 'employee')
),

final as (
    select distinct ticket_id
    from exchanged
    where author = 'client' and author_before = 'client'
)

select * from final
