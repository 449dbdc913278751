{{ canonical_rows('exit_interviews') }}
