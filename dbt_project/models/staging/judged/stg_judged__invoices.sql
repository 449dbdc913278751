{{ config(materialized='table') }}

{{ judged_rows('invoices') }}
