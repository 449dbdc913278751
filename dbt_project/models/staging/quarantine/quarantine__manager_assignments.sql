{{ config(alias='manager_assignments') }}

{{ quarantined_rows('manager_assignments') }}
