{{ canonical_rows('employees') }}
