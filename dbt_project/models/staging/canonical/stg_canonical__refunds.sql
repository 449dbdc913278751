{{ canonical_rows('refunds') }}
