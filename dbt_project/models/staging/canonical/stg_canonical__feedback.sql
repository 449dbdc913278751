{{ canonical_rows('feedback') }}
