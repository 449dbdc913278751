{{ config(materialized='table') }}

{{ judged_rows('contacts') }}
