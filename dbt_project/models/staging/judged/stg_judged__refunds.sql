{{ config(materialized='table') }}

{{ judged_rows('refunds') }}
