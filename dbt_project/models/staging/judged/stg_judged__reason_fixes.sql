{{ config(materialized='table') }}

{{ judged_rows('reason_fixes') }}
