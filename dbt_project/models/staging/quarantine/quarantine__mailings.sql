{{ config(alias='mailings') }}

{{ quarantined_rows('mailings') }}
