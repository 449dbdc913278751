{{ canonical_rows('reason_fixes') }}
