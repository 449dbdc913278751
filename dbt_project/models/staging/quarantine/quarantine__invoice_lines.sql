{{ config(alias='invoice_lines') }}

{{ quarantined_rows('invoice_lines') }}
