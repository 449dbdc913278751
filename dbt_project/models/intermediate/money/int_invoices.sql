with invoices as (
    {{ rows_with_client('invoices') }}
),

dated as (
    select
        *,
        {{ local_date('issued_at') }} as issued_on,
        {{ local_date('disputed_at') }} as disputed_on
    from invoices
),

final as (
    select
        source || ':' || invoice_key as invoice_id,
        client_id,
        issued_on,
        case when disputed_on < {{ as_of() }} then disputed_on end as disputed_on,
        currency
    from dated
    where issued_on < {{ as_of() }}
)

select * from final
