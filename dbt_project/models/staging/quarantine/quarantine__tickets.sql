{{ config(alias='tickets') }}

{{ quarantined_rows('tickets') }}
