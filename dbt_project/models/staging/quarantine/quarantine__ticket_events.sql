{{ config(alias='ticket_events') }}

{{ quarantined_rows('ticket_events') }}
