"""Bitrix24 through its REST interface (an inbound webhook), with Bitrix24's own SDK.

Lists are read in fast paging (`start=-1`, by id), fifty pages a batch. Cursors: `updatedTime` of CRM items and
`LAST_UPDATED` of activities, with an overlap of one hour; users and departments are few and read whole, departments
page by page: their method takes no condition on the id.
Every value lands as text, as the interface writes it; mapping is the work of dbt_project/models/staging/bitrix24/.
Subjects, descriptions, e-mail addresses and phone numbers are not asked for, or not kept where the interface sends
them unasked (user.get).
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from retention.duck import connect as duck_connect
from retention.duck import literal
from retention.settings import Settings
from retention.sources import bitrix24_mapping, interrupted
from retention.sources.bitrix24_portal import open_portal, told_apart
from retention.sources.entity import Entity, SourceError
from retention.sources.mapping import MappingFile

log = logging.getLogger(__name__)

COMPANY, DEAL = 4, 2
COMPANY_OWNER = "4"

PAGED_ATTEMPTS = 5


@dataclass(frozen=True)
class Method(Entity):
    """A list method of the interface. `entity_type` is set for crm.item.list.

    `fields`: column -> the portal's own name of it, where that is another one; `conditions`: what else chooses the
    rows.
    """

    method: str = "crm.item.list"
    fields_method: str = "crm.item.fields"
    entity_type: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def portal_name(self, column: str) -> str:
        return self.fields.get(column, column)


def _items(
    name: str,
    *plain: str,
    entity_type: int | None,
    fields: Mapping[str, str] | None = None,
    conditions: Mapping[str, Any] | None = None,
) -> Method:
    """Items of the CRM: `plain` are fields of Bitrix24's own, `fields` the user fields by their roles."""
    columns = dict.fromkeys(("id", *plain, *bitrix24_mapping.roles(name), "updatedTime"), "VARCHAR")
    mapped = dict(fields or {})
    return Method(
        source="bitrix24",
        name=name,
        columns=columns,
        key=("id",),
        cursor="updatedTime",
        overlap=timedelta(hours=1),
        required=frozenset({"id", *plain, *mapped, "updatedTime"}) if entity_type else frozenset(),
        origin=f"{name} (crm.item.list, entityTypeId {entity_type})" if entity_type else name,
        definition=json.dumps([entity_type, plain, mapped, conditions or {}], sort_keys=True),
        entity_type=entity_type,
        fields=mapped,
        conditions=conditions or {},
        is_there=entity_type is not None,
    )


def _of_mapping(name: str, mapping: bitrix24_mapping.Bitrix24Mapping, *plain: str) -> Method:
    """The items of a smart process, or of a deal pipeline that is used as one."""
    part = mapping.parts[name]
    if name == "termination_requests" and part and part.entity_type and "completed_at" not in part.fields:
        # When an item came to the stage it is on: that is when a request was completed, where no field says so.
        part = part.model_copy(update={"fields": {**part.fields, "moved_at": "movedTime"}})
    if part is None:
        return _items(name, *plain, entity_type=None)
    if part.pipeline is not None:
        conditions = {"categoryId": part.pipeline}
        return _items(name, *plain, entity_type=DEAL, fields=part.fields, conditions=conditions)
    return _items(name, *plain, entity_type=part.entity_type, fields=part.fields)


def _users(fields: Mapping[str, str]) -> Method:
    names = ("ID", "XML_ID", "NAME", "LAST_NAME", "UF_DEPARTMENT", "UF_EMPLOYMENT_DATE", "TIMESTAMP_X")
    return Method(
        source="bitrix24",
        name="users",
        columns=dict.fromkeys((*names, *bitrix24_mapping.roles("users")), "VARCHAR"),
        key=("ID",),
        required=frozenset({"ID", "XML_ID", "NAME", "LAST_NAME", "UF_DEPARTMENT", *fields}),
        origin="users (user.get)",
        method="user.get",
        fields_method="user.fields",
        fields=fields,
    )


_DEPARTMENTS = Method(
    source="bitrix24",
    name="departments",
    columns=dict.fromkeys(("ID", "NAME", "PARENT", "UF_HEAD"), "VARCHAR"),
    key=("ID",),
    required=frozenset({"ID", "NAME", "UF_HEAD"}),
    origin="departments (department.get)",
    method="department.get",
    fields_method="department.fields",
)
_ACTIVITY_FIELDS = (
    "ID",
    "OWNER_TYPE_ID",
    "OWNER_ID",
    "RESPONSIBLE_ID",
    "DIRECTION",
    "TYPE_ID",
    "PROVIDER_ID",
    "COMPLETED",
    "ORIGIN_ID",
    "START_TIME",
    "LAST_UPDATED",
)
_ACTIVITIES = Method(
    source="bitrix24",
    name="activities",
    columns=dict.fromkeys(_ACTIVITY_FIELDS, "VARCHAR"),
    key=("ID",),
    cursor="LAST_UPDATED",
    overlap=timedelta(hours=1),
    required=frozenset(_ACTIVITY_FIELDS) - {"RESPONSIBLE_ID", "LAST_UPDATED"},
    origin="activities (crm.activity.list)",
    definition=json.dumps(_ACTIVITY_FIELDS),
    method="crm.activity.list",
    fields_method="crm.activity.fields",
    conditions={"OWNER_TYPE_ID": COMPANY_OWNER},
)


def _deal_stages(is_there: bool) -> Method:
    """When a deal came to which stage: one row for each step, never changed afterwards."""
    columns = dict.fromkeys(("ID", "OWNER_ID", "STAGE_ID", "CREATED_TIME"), "VARCHAR")
    return Method(
        source="bitrix24",
        name="deal_stages",
        columns=columns,
        key=("ID",),
        cursor="CREATED_TIME",
        overlap=timedelta(hours=1),
        required=frozenset(columns) if is_there else frozenset(),
        origin=f"deal_stages (crm.stagehistory.list, entityTypeId {DEAL})",
        definition="read" if is_there else "not read",
        is_there=is_there,
        method="crm.stagehistory.list",
        fields_method="",
        entity_type=DEAL,
    )


_DEAL_FIELDS = (
    "companyId",
    "assignedById",
    "stageId",
    "stageSemanticId",
    "categoryId",
    "opportunity",
    "currencyId",
    "createdTime",
    "closedate",
)


def entities(settings: Settings, source: str) -> Sequence[Entity]:
    # A source that is not enabled has its tables too, empty ones; its mapping file need not be there, or right.
    mapping = bitrix24_mapping.Bitrix24Mapping()
    if source in settings.sources:
        _, mapping = bitrix24_mapping.read_mapping(settings)
    return (
        _items("companies", "title", "createdTime", entity_type=COMPANY, fields=mapping.companies.fields),
        _items("deals", *_DEAL_FIELDS, entity_type=DEAL),
        _deal_stages(mapping.reads_stage_history),
        _users(mapping.users.fields),
        _DEPARTMENTS,
        _ACTIVITIES,
        _of_mapping("termination_requests", mapping, "companyId", "stageId"),
        _of_mapping("dismissals", mapping, "companyId"),
        _of_mapping("exit_interviews", mapping, "companyId"),
        _of_mapping("reason_fixes", mapping),
        _of_mapping("manager_assignments", mapping, "companyId"),
        _of_mapping("mailings", mapping, "companyId"),
    )


dbt_vars = bitrix24_mapping.dbt_vars


class Bitrix24Source:
    """One portal. See `retention.sources.Source` for the methods."""

    def __init__(self, portal: Any, connection: duckdb.DuckDBPyConnection, file: MappingFile) -> None:
        self._portal = portal
        self._file = file
        self._connection = connection

    def clock(self) -> datetime | None:
        with told_apart("bitrix24"):
            return datetime.fromisoformat(self._portal.call_method("server.time", {})["result"])

    def may_write(self) -> str:
        """An inbound webhook has all rights of the user who made it, within its scopes: there is no reading one."""
        with told_apart("bitrix24"):
            scopes = self._portal.call_method("scope", {})["result"]
            profile = self._portal.call_method("profile", {})["result"]
        user = "an administrator" if profile.get("ADMIN") else f"user {profile.get('ID')}"
        return f"whatever {user} may in {', '.join(scopes)} (no webhook only reads: let a user with few rights own it)"

    def check(self) -> None:
        """Nothing beforehand: the fields of a list are compared when it is its turn."""

    def sample(self, entity: Entity, rows: int = 10) -> list[dict[str, Any]]:
        """The first page of the entity, or what there is of it."""
        assert isinstance(entity, Method)
        if not entity.is_there:
            return []
        names = list(entity.columns)
        with told_apart(entity.label):
            answer = self._portal.call_method(entity.method, _parameters(entity, names, {}))["result"]
        items = answer["items"] if isinstance(answer, dict) else answer
        return [_row(entity, names, item) for item in items[:rows]]

    def stamp(self, moment: datetime) -> datetime:
        return moment

    def schema(self, entity: Entity) -> dict[str, str]:
        assert isinstance(entity, Method)
        if not entity.is_there:
            return {}
        if not entity.fields_method:
            return dict.fromkeys(entity.columns, "string")  # this method has no counterpart that lists its fields
        parameters: dict[str, Any] = {}
        if entity.entity_type:
            parameters = {"entityTypeId": entity.entity_type, "useOriginalUfNames": "Y"}
        with told_apart(entity.label):
            answer = self._portal.call_method(entity.fields_method, parameters)["result"]
        fields = answer.get("fields", answer) if isinstance(answer, dict) else {}
        offered = {
            name: str(about.get("type", "")) if isinstance(about, dict) else "text" for name, about in fields.items()
        }
        if absent := [role for role, name in entity.fields.items() if name not in offered]:
            raise self._file.error(
                (
                    (entity.name, "fields", role),
                    f"the portal has no field {entity.fields[role]} ({entity.origin}). Write the name that it has "
                    f"now, or leave the line out; nothing was landed from {entity.name}",
                )
                for role in absent
            )
        # A user field is known by its role, whatever the portal calls it.
        return offered | {role: offered[name] for role, name in entity.fields.items()}

    def extract(
        self,
        entity: Entity,
        since: datetime | int | None,
        target: Path,
        on_rows: Callable[[int], None],
        until: datetime | int | None = None,
    ) -> datetime | None:
        """As the interface says. A read that was cut off goes on behind the last id that it had.

        Returns the instant at which the first attempt began: what changed later at rows that it had read is not here.
        """
        assert isinstance(entity, Method)
        names = list(entity.columns)
        if not entity.cursor:
            self._read(entity, names, since, until, target, on_rows)
            return None
        request = json.dumps([entity.definition, names, str(since), str(until)])
        with interrupted.attempt(target.parent.parent, request, entity.key[0]) as going, told_apart(entity.label):
            if going.is_continued:
                log.info("%s: going on behind the %s rows of an attempt that was cut off", entity.label, going.rows)
            for count, item in enumerate(self._list(entity, names, since, until, going.last_id), start=going.rows + 1):
                going.write(_row(entity, names, item))
                if count % 1000 == 0:
                    on_rows(count)
            going.handle.flush()
            self._write(going.path, names, target)
        return going.began if going.is_continued else None

    def keys(self, entity: Entity, target: Path, on_rows: Callable[[int], None]) -> None:
        names = [*entity.key, *([entity.cursor] if entity.cursor else [])]
        self._read(entity, names, None, None, target, on_rows)

    def _read(
        self,
        entity: Entity,
        names: list[str],
        since: datetime | int | None,
        until: datetime | int | None,
        target: Path,
        on_rows: Callable[[int], None],
    ) -> None:
        assert isinstance(entity, Method)
        lines = target.with_suffix(".ndjson")
        with told_apart(entity.label), lines.open("w", encoding="utf-8") as handle:
            for count, item in enumerate(self._list(entity, names, since, until), start=1):
                handle.write(json.dumps(_row(entity, names, item), ensure_ascii=False) + "\n")
                if count % 1000 == 0:
                    on_rows(count)
        self._write(lines, names, target)
        lines.unlink()

    def _write(self, lines: Path, names: list[str], target: Path) -> None:
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
        self._connection.execute(
            f"copy (select * from read_json({literal(lines)}, format = 'newline_delimited', columns = {{{columns}}})) "
            f"to {literal(target)} (format parquet, compression zstd)"
        )

    def _list(
        self,
        entity: Method,
        names: list[str],
        since: datetime | int | None,
        until: datetime | int | None,
        behind: int = 0,
    ) -> Iterable[dict[str, Any]]:
        if not entity.is_there:
            return []
        if entity.method == "department.get":
            return self._page_by_page(entity)
        conditions: dict[str, Any] = {}
        for sign, bound in ((">=", since), ("<", until)):
            if isinstance(bound, datetime):
                conditions[f"{sign}{entity.cursor}"] = bound.isoformat(timespec="seconds")
        if behind:
            conditions[f">={entity.key[0]}"] = behind + 1
        return self._portal.call_list_fast(entity.method, _parameters(entity, names, conditions))["result"]

    def _page_by_page(self, entity: Method) -> list[dict[str, Any]]:
        """A short list whose method knows no paging by id.

        A row that goes between two pages moves the next one to a page that was read already: a list of several pages is
        read until two readings in a row are the same.
        """
        before: list[dict[str, Any]] = []
        for _ in range(PAGED_ATTEMPTS):
            found: list[dict[str, Any]] = []
            start: int | None = 0
            while start is not None:
                answer = self._portal.call_method(entity.method, {"sort": "ID", "order": "ASC", "start": start})
                found += answer["result"]
                start = answer.get("next")
            if len(found) == len(answer["result"]) or found == before:
                return found
            before = found
        raise SourceError(
            f"{entity.label}: {entity.method} gave something else each of the {PAGED_ATTEMPTS} times it was read. Load "
            f"again when nobody is working on it."
        )


def _parameters(entity: Method, names: list[str], conditions: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of a list method: the columns that are needed and the rows that are, nothing else."""
    parameters: dict[str, Any] = {}
    if entity.method != "department.get":
        # A role that the mapping leaves out is no field of the portal.
        absent = set(bitrix24_mapping.roles(entity.name)) - set(entity.fields)
        parameters["select"] = [entity.portal_name(name) for name in names if name not in absent]
    if entity.entity_type:
        parameters |= {"entityTypeId": entity.entity_type, "useOriginalUfNames": "Y"}
    if filters := {**entity.conditions, **conditions}:
        parameters["filter"] = filters
    return parameters


def _row(entity: Method, names: list[str], item: dict[str, Any]) -> dict[str, str | None]:
    return {name: as_text(item.get(entity.portal_name(name))) for name in names}


def as_text(value: object) -> str | None:
    """A value of an answer as text: empty texts, lists and maps are no value, others stay JSON.

    PHP writes an empty map as a list, and user.get an empty time as a map.
    """
    if value in (None, "", [], {}):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


@contextmanager
def connect(settings: Settings, source: str) -> Iterator[Bitrix24Source]:
    """Open the portal behind the webhook address of the setting `bitrix24_url`."""
    if settings.bitrix24_url is None:
        raise SourceError(
            "bitrix24: no connection is configured. Set RETENTION_BITRIX24_URL=https://<portal>/rest/<user>/<code>/ "
            f"(an inbound webhook) in {settings.home / 'retention.env'} or .env, or take bitrix24 out of "
            f"RETENTION_SOURCES."
        )
    file, _ = bitrix24_mapping.read_mapping(settings)
    portal = open_portal(settings.bitrix24_url.get_secret_value())
    connection = duck_connect(settings.extensions)
    try:
        yield Bitrix24Source(portal, connection, file)
    finally:
        connection.close()
