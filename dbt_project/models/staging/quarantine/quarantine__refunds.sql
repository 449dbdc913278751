{{ config(alias='refunds') }}

{{ quarantined_rows('refunds') }}
