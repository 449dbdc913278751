with invoice_lines as (
    select * from {{ source('landing', 'billing__invoice_line') }}
),

renamed as (
    select
        invoice_no as invoice_key,
        line_no,
        line_type as kind,
        amount,
        modified_at as updated_at,
        _load_id,
        _row_number
    from invoice_lines
)

select * from renamed
