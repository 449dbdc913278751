{{ canonical_rows('contracts') }}
