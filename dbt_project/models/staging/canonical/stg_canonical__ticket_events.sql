{{ canonical_rows('ticket_events') }}
