"""Znuny 6.5 (or OTRS 6) on PostgreSQL, MySQL or MariaDB.

Cursors: `change_time`, which moves with every change, also when a merge carries articles and history to another ticket
(their ids, which ascend too, stay the same then); `dynamic_field_value.id`, since Znuny writes a value anew when it
changes. No table has an index on `change_time`: of articles and history an ordinary load reads the newest rows, and
those of the tickets that changed, as both do in a merge. An older article that is shown to the client, or hidden from
the client, leaves its ticket as it was; the reconciliation finds it, as it finds rows that were committed late.
Timestamps are naive, in the zone of the setting `znuny_timezone`, to the second: the overlap of two hours also covers
the hour that a clock change repeats. Deletes are physical and found by reconciliation. Lookup tables are small and read
whole, the large ones in pages of their id.

Titles, subjects, bodies and addresses are never selected. Of a sender whom it does not know, Znuny may write the
address into `ticket.customer_id`: that is left empty. `ticket_history.name` may hold any of them, so it is taken
only for state changes (two state names) and for the dynamic fields of the promised date and the satisfaction. Which
dynamic fields these are, a company says in `sources/znuny.yml`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field

from retention.settings import Settings
from retention.sources.database import DatabaseSource, Table, connect_database
from retention.sources.entity import Entity
from retention.sources.mapping import Mapping, MappingFile

NAME = r"^[A-Za-z0-9]+$"  # Znuny allows nothing else in the name of a dynamic field


class DynamicFields(Mapping):
    """Names of dynamic fields; None = the company has no such field."""

    topic: str | None = Field(None, pattern=NAME)
    promised_date: str | None = Field(None, pattern=NAME)
    third_party: str | None = Field(None, pattern=NAME)
    satisfaction: str | None = Field(None, pattern=NAME)


class ThirdParty(Mapping):
    """Names by which a ticket is known to wait for a third party."""

    slas: list[str] = Field(default_factory=list)
    services: list[str] = Field(default_factory=list)
    queues: list[str] = Field(default_factory=list)


class ZnunyMapping(Mapping):
    """`sources/znuny.yml`."""

    dynamic_fields: DynamicFields = DynamicFields()
    third_party: ThirdParty = ThirdParty()


@cache
def _read(path: Path, modified_ns: int) -> ZnunyMapping:
    return MappingFile(path).read(ZnunyMapping)


def read_mapping(settings: Settings) -> ZnunyMapping:
    """The mapping of the help-desk; without a file no dynamic field is known. Raises SourceError with every mistake."""
    path = settings.sources_dir / "znuny.yml"
    return _read(path, path.stat().st_mtime_ns) if path.is_file() else ZnunyMapping()


def dbt_vars(settings: Settings) -> dict[str, Any]:
    mapping = read_mapping(settings)
    left_out = [] if mapping.dynamic_fields.satisfaction else ["feedback"]
    return {"znuny": {**mapping.model_dump(), "left_out": left_out}}


_LOOKUP = {"id": "INTEGER", "name": "VARCHAR"}
_CHANGED: dict[str, Any] = {"cursor": "change_time", "overlap": timedelta(hours=2), "page": "id"}


def _table(name: str, columns: dict[str, str], *, also_needed: tuple[str, ...] = (), **more: Any) -> Table:
    """`also_needed`: columns that the condition looks at."""
    table = Table(source="znuny", name=name, columns=columns, key=("id",), **more)
    return Table(**{**vars(table), "required": frozenset(columns) | set(also_needed), "definition": table.query})


def _history_type(*names: str) -> str:
    return f"history_type_id in (select id from ticket_history_type where name in ({_names(names)}))"


def _names(names: Sequence[str | None]) -> str:
    # A list that is empty would be no SQL; no name is empty.
    return ", ".join(f"'{name}'" for name in names if name) or "''"


def entities(settings: Settings, source: str) -> Sequence[Entity]:
    # A source that is not enabled has its tables too, empty ones; its mapping file need not be right.
    fields = (read_mapping(settings) if source in settings.sources else ZnunyMapping()).dynamic_fields
    told_by_history = [name for name in (fields.promised_date, fields.satisfaction) if name]
    of_field = " or ".join(
        f"left(name, {len(start)}) = '{start}'" for start in (f"%%FieldName%%{name}%%" for name in told_by_history)
    )
    named = f"{_history_type('TicketDynamicFieldUpdate')} and ({of_field or '1 = 0'})"
    values = f"select id from dynamic_field where name in ({_names(list(fields.model_dump().values()))})"
    return (
        _table(
            "ticket",
            {
                "id": "BIGINT",
                "queue_id": "INTEGER",
                "sla_id": "INTEGER",
                "service_id": "INTEGER",
                "user_id": "INTEGER",
                "ticket_state_id": "SMALLINT",
                "customer_id": "VARCHAR",
                "create_time": "TIMESTAMP",
                "create_by": "INTEGER",
                "change_time": "TIMESTAMP",
            },
            expressions={"customer_id": "case when customer_id not like '%@%' then customer_id end"},
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
            expressions={"name": f"case when {_history_type('StateUpdate')} or ({named}) then name end"},
            condition=f"{_history_type('NewTicket', 'StateUpdate', 'OwnerUpdate')} or ({named})",
            parent=("ticket_id", "ticket"),
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
            parent=("ticket_id", "ticket"),
            **_CHANGED,
        ),
        _table(
            "dynamic_field_value",
            {
                "id": "BIGINT",
                "field_id": "INTEGER",
                "object_id": "BIGINT",
                "value_text": "VARCHAR",
                "value_int": "BIGINT",
            },
            cursor="id",
            overlap=10_000,
            page="id",
            condition=f"field_id in ({values})",
        ),
        _table("dynamic_field", _LOOKUP, condition=f"id in ({values})"),
        _table("ticket_history_type", _LOOKUP),
        _table("ticket_state", _LOOKUP | {"type_id": "SMALLINT"}),
        _table("ticket_state_type", _LOOKUP),
        _table("queue", _LOOKUP),
        _table("sla", _LOOKUP),
        _table("service", _LOOKUP),
        _table("article_sender_type", _LOOKUP),
        _table("users", {"id": "INTEGER", "login": "VARCHAR"}),
    )


@contextmanager
def connect(settings: Settings, source: str) -> Iterator[DatabaseSource]:
    with connect_database(settings, source, ZoneInfo(settings.znuny_timezone)) as opened:
        yield opened
