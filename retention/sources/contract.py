"""The canonical entities of the contract: their columns, which of them may be absent, and their keys."""

from dataclasses import dataclass

_MONEY = {"price", "amount", "total"}
_DAYS = {"valid_from", "valid_to", "active_from", "active_to"}
_FLAGS = {"bonus_offered", "marketing_consent", "would_return"}


def type_of(column: str) -> str:
    """The type of a canonical column: text, timestamp, date, money, score, integer or boolean. Names tell it."""
    if column.endswith("_at"):
        return "timestamp"
    if column.endswith("_on") or column in _DAYS:
        return "date"
    if column.startswith("is_") or column in _FLAGS:
        return "boolean"
    if column in _MONEY:
        return "money"
    return {"score": "score", "line_no": "integer"}.get(column, "text")


@dataclass(frozen=True)
class CanonicalEntity:
    """Columns in the order of the contract; `key` and `optional` are subsets of them."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    optional: frozenset[str]

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column for column in self.columns if column not in self.optional)


def _entity(name: str, *columns: str) -> CanonicalEntity:
    """Columns as the contract writes them: a leading * marks a key column, a trailing ? one that may be absent."""
    names = tuple(column.strip("*?") for column in columns)
    optional = frozenset(column.strip("*?") for column in columns if column.endswith("?"))
    key = tuple(column.strip("*?") for column in columns if column.startswith("*"))
    if "updated_at" not in names:
        names += ("updated_at",)
    return CanonicalEntity(name, names, key, optional | {"updated_at"})


CANONICAL: dict[str, CanonicalEntity] = {
    entity.name: entity
    for entity in (
        _entity(
            "clients",
            "*client_key",
            "name",
            "segment?",
            "size_band?",
            "region?",
            "acquisition_channel?",
            "registered_at",
            "closed_at?",
            "marketing_consent?",
        ),
        _entity("client_links", "*source", "*source_key", "client_key"),
        _entity("employees", "*employee_key", "full_name", "department", "is_head", "active_from?", "active_to?"),
        _entity("manager_assignments", "*client_key", "*employee_key", "*role", "*valid_from", "valid_to?"),
        _entity(
            "deals",
            "*deal_key",
            "client_key",
            "employee_key",
            "stage",
            "amount",
            "currency?",
            "created_at",
            "closed_at?",
        ),
        _entity(
            "contacts",
            "*contact_key",
            "client_key",
            "employee_key?",
            "direction",
            "channel",
            "purpose",
            "occurred_at",
        ),
        _entity(
            "termination_requests",
            "*request_key",
            "client_key",
            "requested_at",
            "outcome?",
            "completed_at?",
            "bonus_offered",
            "obstacle?",
        ),
        _entity("dismissals", "*client_key", "*dismissed_at", "reason", "decided_by?"),
        _entity(
            "exit_interviews",
            "*interview_key",
            "client_key",
            "invited_at",
            "channel",
            "answered_at?",
            "reason_code?",
            "would_return?",
        ),
        _entity("reason_fixes", "*fix_key", "reason_code", "owner_department", "planned_on?", "fixed_on?"),
        _entity("mailings", "*mailing_key", "client_key", "sent_at", "opened_at?", "unsubscribed_at?"),
        _entity(
            "contracts",
            "*contract_key",
            "client_key",
            "plan",
            "price",
            "currency?",
            "billing_period",
            "started_on",
            "ended_on?",
            "end_reason?",
            "is_trial",
        ),
        _entity("prepaid_events", "*event_key", "client_key", "kind", "amount", "currency?", "occurred_at"),
        _entity(
            "invoices",
            "*invoice_key",
            "client_key",
            "issued_at",
            "due_at",
            "total",
            "currency?",
            "disputed_at?",
        ),
        _entity("invoice_lines", "*invoice_key", "*line_no", "kind", "amount"),
        _entity(
            "payments",
            "*payment_key",
            "client_key",
            "invoice_key?",
            "amount",
            "currency?",
            "status",
            "paid_at",
        ),
        _entity(
            "refunds",
            "*refund_key",
            "client_key",
            "requested_at",
            "amount",
            "currency?",
            "decision?",
            "decided_at?",
        ),
        _entity("tickets", "*ticket_key", "client_key", "queue", "topic?", "sla_class", "opened_at", "opened_by"),
        _entity("ticket_events", "*event_key", "ticket_key", "kind", "employee_key?", "occurred_at", "new_value?"),
        _entity("messages", "*message_key", "ticket_key", "author", "employee_key?", "sent_at"),
        _entity(
            "feedback",
            "*feedback_key",
            "client_key",
            "kind",
            "score?",
            "is_public",
            "ticket_key?",
            "employee_key?",
            "submitted_at",
            "answered_at?",
            "acted_on_at?",
        ),
    )
}
