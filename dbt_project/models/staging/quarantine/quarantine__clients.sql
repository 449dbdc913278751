{{ config(alias='clients') }}

{{ quarantined_rows('clients') }}
