{{ config(materialized='table') }}

{{ judged_rows('employees') }}
