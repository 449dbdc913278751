{{ config(materialized='table') }}

{{ judged_rows('deals') }}
