{{ config(alias='exit_interviews') }}

{{ quarantined_rows('exit_interviews') }}
