{{ config(alias='invoices') }}

{{ quarantined_rows('invoices') }}
