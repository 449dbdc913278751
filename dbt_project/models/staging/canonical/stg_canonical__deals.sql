{{ canonical_rows('deals') }}
