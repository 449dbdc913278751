{{ canonical_rows('client_links') }}
