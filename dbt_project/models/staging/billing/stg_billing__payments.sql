with payments as (
    select * from {{ source('landing', 'billing__payment') }}
),

renamed as (
    select
        payment_no as payment_key,
        customer_no as client_key,
        invoice_no as invoice_key,
        amount,
        currency,
        {{ coded('state', {'ok': 'succeeded', 'declined': 'failed'}) }} as status,
        paid_at,
        modified_at as updated_at,
        _load_id,
        _row_number
    from payments
)

select * from renamed
