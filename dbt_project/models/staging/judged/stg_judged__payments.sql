{{ config(materialized='table') }}

{{ judged_rows('payments') }}
