{{ config(materialized='table') }}

{{ judged_rows('clients') }}
