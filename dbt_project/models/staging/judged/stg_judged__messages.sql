{{ config(materialized='table') }}

{{ judged_rows('messages') }}
