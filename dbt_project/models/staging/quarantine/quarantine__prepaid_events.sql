{{ config(alias='prepaid_events') }}

{{ quarantined_rows('prepaid_events') }}
