"""Znuny 6.5 (formerly OTRS) on PostgreSQL.

Cursors: `change_time`, which moves with every change and also when a merge carries rows to another ticket;
`dynamic_field_value.id`, since Znuny writes a value anew when it changes. Timestamps are naive, in the zone of the
setting `znuny_timezone`, to the second: the overlap of two hours also covers the hour that a clock change repeats.
Deletes are physical and found by reconciliation. Lookup tables are small and read whole.

Titles, subjects, bodies and addresses are never selected. `ticket_history.name` may hold any of them, so it is taken
only for state changes (two state names) and for the one dynamic field that holds the promised date.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from retention.settings import Settings
from retention.sources.database import DatabaseSource, Table, connect_database
from retention.sources.entity import Entity

# Names that a company gives its own dynamic fields.
PROMISE_FIELD = "PromisedDate"
TOPIC_FIELD = "Topic"

_LOOKUP = {"id": "INTEGER", "name": "VARCHAR"}
_HISTORY_TYPE = "(select id from ticket_history_type where name = '{}')"
_PROMISE = (
    f"history_type_id = {_HISTORY_TYPE.format('TicketDynamicFieldUpdate')} "
    f"and starts_with(name, '%%FieldName%%{PROMISE_FIELD}%%')"
)


def _table(name: str, columns: dict[str, str], *, also_needed: tuple[str, ...] = (), **more: Any) -> Table:
    """`also_needed`: columns that the condition looks at."""
    return Table(
        source="znuny",
        name=name,
        columns=columns,
        key=("id",),
        required=frozenset(columns) | set(also_needed),
        **more,
    )


_CHANGED: dict[str, Any] = {"cursor": "change_time", "overlap": timedelta(hours=2)}

_ENTITIES = (
    _table(
        "ticket",
        {
            "id": "BIGINT",
            "queue_id": "INTEGER",
            "sla_id": "INTEGER",
            "service_id": "INTEGER",
            "customer_id": "VARCHAR",
            "create_time": "TIMESTAMP",
            "create_by": "INTEGER",
            "change_time": "TIMESTAMP",
        },
        **_CHANGED,
    ),
    _table(
        "ticket_history",
        {
            "id": "BIGINT",
            "name": "VARCHAR",
            "history_type_id": "SMALLINT",
            "ticket_id": "BIGINT",
            "owner_id": "INTEGER",
            "state_id": "SMALLINT",
            "create_time": "TIMESTAMP",
            "create_by": "INTEGER",
            "change_time": "TIMESTAMP",
        },
        expressions={
            "name": f"case when history_type_id = {_HISTORY_TYPE.format('StateUpdate')} or ({_PROMISE}) then name end"
        },
        condition=(
            "history_type_id in (select id from ticket_history_type "
            f"where name in ('NewTicket', 'StateUpdate', 'OwnerUpdate')) or ({_PROMISE})"
        ),
        **_CHANGED,
    ),
    _table(
        "article",
        {
            "id": "BIGINT",
            "ticket_id": "BIGINT",
            "article_sender_type_id": "SMALLINT",
            "create_time": "TIMESTAMP",
            "create_by": "INTEGER",
            "change_time": "TIMESTAMP",
        },
        condition="is_visible_for_customer = 1",
        also_needed=("is_visible_for_customer",),
        **_CHANGED,
    ),
    _table(
        "dynamic_field_value",
        {"id": "BIGINT", "field_id": "INTEGER", "object_id": "BIGINT", "value_text": "VARCHAR"},
        cursor="id",
        overlap=10_000,
        condition=f"field_id in (select id from dynamic_field where name = '{TOPIC_FIELD}')",
    ),
    _table("dynamic_field", _LOOKUP, condition=f"name in ('{TOPIC_FIELD}', '{PROMISE_FIELD}')"),
    _table("ticket_history_type", _LOOKUP),
    _table("ticket_state", _LOOKUP | {"type_id": "SMALLINT"}),
    _table("ticket_state_type", _LOOKUP),
    _table("queue", _LOOKUP),
    _table("sla", _LOOKUP),
    _table("service", _LOOKUP),
    _table("article_sender_type", _LOOKUP),
    _table("users", {"id": "INTEGER", "login": "VARCHAR"}),
)


def entities(settings: Settings, source: str) -> Sequence[Entity]:
    return _ENTITIES


@contextmanager
def connect(settings: Settings, source: str) -> Iterator[DatabaseSource]:
    with connect_database(settings, source, ZoneInfo(settings.znuny_timezone)) as opened:
        yield opened
