{{ config(materialized='table') }}

{{ judged_rows('invoice_lines') }}
