{{ config(materialized='table') }}

{{ judged_rows('exit_interviews') }}
