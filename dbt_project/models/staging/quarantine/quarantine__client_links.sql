{{ config(alias='client_links') }}

{{ quarantined_rows('client_links') }}
