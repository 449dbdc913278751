with invoices as (
    select * from {{ source('landing', 'billing__invoice') }}
),

renamed as (
    select
        invoice_no as invoice_key,
        customer_no as client_key,
        issued_at,
        due_at,
        total,
        currency,
        disputed_at,
        modified_at as updated_at,
        _load_id,
        _row_number
    from invoices
)

select * from renamed
