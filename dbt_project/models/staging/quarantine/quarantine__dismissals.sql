{{ config(alias='dismissals') }}

{{ quarantined_rows('dismissals') }}
