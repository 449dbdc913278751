"""The in-house billing database and the personal cabinet that lives in it (PostgreSQL).

Cursor: `modified_at`, which the system moves with every change. Overlap: one hour, for transactions that commit late.
What clients wrote in the cabinet (`body`) is never selected.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from retention.settings import Settings
from retention.sources.database import DatabaseSource, Table, connect_database
from retention.sources.entity import Entity

_MONEY = "DECIMAL(18,2)"
_INSTANT = "TIMESTAMP WITH TIME ZONE"


def _table(name: str, key: tuple[str, ...], columns: dict[str, str]) -> Table:
    columns = columns | {"modified_at": _INSTANT}
    return Table(
        source="billing",
        name=name,
        columns=columns,
        key=key,
        cursor="modified_at",
        overlap=timedelta(hours=1),
        required=frozenset(columns),
    )


_ENTITIES = (
    _table(
        "contract",
        ("contract_no",),
        {
            "contract_no": "VARCHAR",
            "customer_no": "VARCHAR",
            "tariff": "VARCHAR",
            "price": _MONEY,
            "currency": "VARCHAR",
            "period": "VARCHAR",
            "valid_from": "DATE",
            "valid_to": "DATE",
            "close_reason": "VARCHAR",
            "is_test": "BOOLEAN",
        },
    ),
    _table(
        "account_operation",
        ("operation_id",),
        {
            "operation_id": "BIGINT",
            "customer_no": "VARCHAR",
            "operation": "VARCHAR",
            "amount": _MONEY,
            "currency": "VARCHAR",
            "performed_at": _INSTANT,
        },
    ),
    _table(
        "invoice",
        ("invoice_no",),
        {
            "invoice_no": "VARCHAR",
            "customer_no": "VARCHAR",
            "issued_at": _INSTANT,
            "due_at": _INSTANT,
            "total": _MONEY,
            "currency": "VARCHAR",
            "disputed_at": _INSTANT,
        },
    ),
    _table(
        "invoice_line",
        ("invoice_no", "line_no"),
        {"invoice_no": "VARCHAR", "line_no": "INTEGER", "line_type": "VARCHAR", "amount": _MONEY},
    ),
    _table(
        "payment",
        ("payment_no",),
        {
            "payment_no": "VARCHAR",
            "customer_no": "VARCHAR",
            "invoice_no": "VARCHAR",
            "amount": _MONEY,
            "currency": "VARCHAR",
            "state": "VARCHAR",
            "paid_at": _INSTANT,
        },
    ),
    _table(
        "refund",
        ("refund_no",),
        {
            "refund_no": "VARCHAR",
            "customer_no": "VARCHAR",
            "requested_at": _INSTANT,
            "amount": _MONEY,
            "currency": "VARCHAR",
            "decision": "VARCHAR",
            "decided_at": _INSTANT,
        },
    ),
    _table(
        "cabinet_feedback",
        ("feedback_no",),
        {
            "feedback_no": "BIGINT",
            "customer_no": "VARCHAR",
            "kind": "VARCHAR",
            "score": "DECIMAL(3,2)",
            "is_public": "BOOLEAN",
            "ticket_id": "VARCHAR",
            "employee_login": "VARCHAR",
            "submitted_at": _INSTANT,
            "answered_at": _INSTANT,
            "acted_on_at": _INSTANT,
        },
    ),
)


def entities(settings: Settings) -> Sequence[Entity]:
    return _ENTITIES


@contextmanager
def connect(settings: Settings) -> Iterator[DatabaseSource]:
    with connect_database(settings, "billing") as source:
        yield source
