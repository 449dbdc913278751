{{ config(alias='reason_fixes') }}

{{ quarantined_rows('reason_fixes') }}
