{{ config(alias='messages') }}

{{ quarantined_rows('messages') }}
