{{ config(materialized='table') }}

{{ judged_rows('client_links') }}
