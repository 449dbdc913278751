{{ config(alias='employees') }}

{{ quarantined_rows('employees') }}
