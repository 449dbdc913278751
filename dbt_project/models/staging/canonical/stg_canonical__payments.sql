{{ canonical_rows('payments') }}
