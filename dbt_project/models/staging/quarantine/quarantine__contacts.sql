{{ config(alias='contacts') }}

{{ quarantined_rows('contacts') }}
