{{ canonical_rows('messages') }}
