{{ config(alias='deals') }}

{{ quarantined_rows('deals') }}
