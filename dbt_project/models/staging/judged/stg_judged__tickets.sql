{{ config(materialized='table') }}

{{ judged_rows('tickets') }}
