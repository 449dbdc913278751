{{ canonical_rows('prepaid_events') }}
