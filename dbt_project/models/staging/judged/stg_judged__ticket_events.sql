{{ config(materialized='table') }}

{{ judged_rows('ticket_events') }}
