{{ canonical_rows('clients') }}
