{{ config(alias='payments') }}

{{ quarantined_rows('payments') }}
