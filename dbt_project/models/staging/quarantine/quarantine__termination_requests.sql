{{ config(alias='termination_requests') }}

{{ quarantined_rows('termination_requests') }}
