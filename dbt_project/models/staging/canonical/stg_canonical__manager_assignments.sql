{{ canonical_rows('manager_assignments') }}
