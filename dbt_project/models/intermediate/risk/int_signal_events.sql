-- What a signal counts, one row per event, dated by the day on which it became known.
{% set counted = [
    ['manager_changes', 'int_manager_assignments', 'valid_from', 'is_change'],
    ['promise_changes', 'int_ticket_events', 'occurred_on', 'is_promise_change'],
    ['reopened', 'int_ticket_events', 'occurred_on', 'is_reopening'],
    ['complaints', 'int_feedback', 'submitted_on', "kind = 'complaint'"],
    ['fee_lines', 'int_invoice_lines', 'issued_on', "kind = 'fee'"],
    ['invoice_disputes', 'int_invoices', 'disputed_on', 'disputed_on is not null'],
    ['failed_payments', 'int_payments', 'paid_on', "status = 'failed'"],
    ['refund_refused', 'int_refunds', 'coalesce(decided_on, requested_on)', "decision = 'refused'"],
    ['price_rise', 'int_price_rises', 'started_on', 'true'],
    ['upsell_contacts', 'int_contacts', 'occurred_on', "is_outbound and purpose = 'upsell'"],
    ['unsubscribed', 'int_mailings', 'unsubscribed_on', 'unsubscribed_on is not null'],
] %}
{% for signal, relation, day, condition in counted %}
select
    '{{ signal }}' as signal,
    client_id,
    {{ day }} as occurred_on
from {{ ref(relation) }}
where {{ condition }}
{{ 'union all' if not loop.last }}
{% endfor %}
