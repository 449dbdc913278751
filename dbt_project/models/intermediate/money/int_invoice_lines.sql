with invoice_lines as (
    select
        source || ':' || invoice_key as invoice_id,
        line_no,
        kind,
        amount
    from {{ ref('stg_canonical__invoice_lines') }}
),

final as (
    select
        invoice_lines.invoice_id,
        invoice_lines.line_no,
        invoices.client_id,
        invoices.issued_on,
        invoice_lines.kind,
        {{ scaled_money('invoice_lines.amount', exchange_rate('invoices.currency')) }} as amount
    from invoice_lines
    -- A line whose invoice is unknown has lost its parent.
    inner join {{ ref('int_invoices') }} as invoices on invoice_lines.invoice_id = invoices.invoice_id
    {{ join_exchange_rate('invoices.currency', 'invoices.issued_on') }}
)

select * from final
