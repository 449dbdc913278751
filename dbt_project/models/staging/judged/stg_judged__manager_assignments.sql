{{ config(materialized='table') }}

{{ judged_rows('manager_assignments') }}
