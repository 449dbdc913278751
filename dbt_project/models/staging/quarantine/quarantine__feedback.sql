{{ config(alias='feedback') }}

{{ quarantined_rows('feedback') }}
