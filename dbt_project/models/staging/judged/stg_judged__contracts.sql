{{ config(materialized='table') }}

{{ judged_rows('contracts') }}
