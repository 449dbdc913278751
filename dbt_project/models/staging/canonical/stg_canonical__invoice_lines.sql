{{ canonical_rows('invoice_lines') }}
