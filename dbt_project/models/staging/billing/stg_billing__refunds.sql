with refunds as (
    select * from {{ source('landing', 'billing__refund') }}
),

renamed as (
    select
        refund_no as refund_key,
        customer_no as client_key,
        requested_at,
        amount,
        currency,
        decision,
        decided_at,
        modified_at as updated_at,
        _load_id,
        _row_number
    from refunds
)

select * from renamed
