{{ canonical_rows('termination_requests') }}
