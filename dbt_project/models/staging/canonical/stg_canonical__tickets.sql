{{ canonical_rows('tickets') }}
