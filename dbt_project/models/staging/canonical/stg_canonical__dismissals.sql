{{ canonical_rows('dismissals') }}
