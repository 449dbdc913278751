with mailings as (
    select
        source || ':' || mailing_key as mailing_id,
        client_key as client_id,
        {{ local_date('sent_at') }} as sent_on,
        {{ local_date('opened_at') }} as opened_on,
        {{ local_date('unsubscribed_at') }} as unsubscribed_on
    from {{ ref('stg_canonical__mailings') }}
),

final as (
    select
        mailing_id,
        client_id,
        sent_on,
        case when opened_on < {{ as_of() }} then opened_on end as opened_on,
        case when unsubscribed_on < {{ as_of() }} then unsubscribed_on end as unsubscribed_on
    from mailings
    where
        sent_on < {{ as_of() }}
        -- A mailing to nobody we know has lost its parent.
        and client_id in (select clients.client_id from {{ ref('int_clients') }} as clients)
)

select * from final
