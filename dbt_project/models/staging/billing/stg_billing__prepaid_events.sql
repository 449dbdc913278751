with operations as (
    select * from {{ source('landing', 'billing__account_operation') }}
),

renamed as (
    select
        operation_id as event_key,
        customer_no as client_key,
        {{ coded('operation', {'charge': 'usage'}) }} as kind,
        amount,
        currency,
        performed_at as occurred_at,
        modified_at as updated_at,
        _load_id,
        _row_number
    from operations
)

select * from renamed
