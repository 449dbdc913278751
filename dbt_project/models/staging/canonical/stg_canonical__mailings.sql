{{ canonical_rows('mailings') }}
