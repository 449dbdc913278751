{{ canonical_rows('contacts') }}
