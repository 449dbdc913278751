{{ config(materialized='table') }}

{{ judged_rows('mailings') }}
