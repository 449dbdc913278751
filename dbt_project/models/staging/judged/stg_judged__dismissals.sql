{{ config(materialized='table') }}

{{ judged_rows('dismissals') }}
