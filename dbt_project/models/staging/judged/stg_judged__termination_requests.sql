{{ config(materialized='table') }}

{{ judged_rows('termination_requests') }}
