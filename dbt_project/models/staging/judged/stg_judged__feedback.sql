{{ config(materialized='table') }}

{{ judged_rows('feedback') }}
