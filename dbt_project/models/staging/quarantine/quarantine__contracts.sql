{{ config(alias='contracts') }}

{{ quarantined_rows('contracts') }}
