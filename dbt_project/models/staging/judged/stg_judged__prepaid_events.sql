{{ config(materialized='table') }}

{{ judged_rows('prepaid_events') }}
