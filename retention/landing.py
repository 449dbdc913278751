"""The landing zone: rows as the sources delivered them, in Parquet, append-only; and how they are read back.

    landing/<source>/<entity>/load=<load_id>/part-0.parquet, _manifest.json      rows that are new or changed
    landing/<source>/<entity>/deleted=<load_id>/part-0.parquet, _manifest.json   keys that vanished at the source

A load is written into a folder with a temporary name, flushed to disk and renamed as the last step. What has no
manifest under its final name does not exist; leftovers of killed loads are swept by the next load of that source.
Writing is the work of landing_writer.py.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from retention.duck import literal, quote
from retention.settings import CONNECTORS, Settings
from retention.sources.entity import Entity, SourceError

MANIFEST = "_manifest.json"
PART = "part-0.parquet"
TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class Load:
    """One complete load. `kind` is `rows` or `deleted`; `manifest` is the parsed manifest."""

    source: str
    entity: str
    load_id: str
    kind: str
    folder: Path
    manifest: dict[str, Any]

    @property
    def rows(self) -> int:
        return int(self.manifest["rows"])

    @property
    def is_full(self) -> bool:
        return bool(self.manifest["is_full"])

    @property
    def complete_until(self) -> date | None:
        text = self.manifest.get("complete_until")
        return date.fromisoformat(text) if text else None

    @property
    def part(self) -> Path:
        return self.folder / PART


def loads(settings: Settings, source: str, entity: str) -> list[Load]:
    """Complete loads of rows, oldest first."""
    return _loads(settings, source, entity, "rows")


def tombstones(settings: Settings, source: str, entity: str) -> list[Load]:
    """Complete loads of deleted keys, oldest first."""
    return _loads(settings, source, entity, "deleted")


def _loads(settings: Settings, source: str, entity: str, kind: str) -> list[Load]:
    prefix = "load=" if kind == "rows" else "deleted="
    folder = settings.landing / source / entity
    if not folder.is_dir():
        return []
    found = []
    for child in sorted(folder.iterdir()):
        manifest = child / MANIFEST
        if not child.name.startswith(prefix) or not manifest.is_file():
            continue
        try:
            content = json.loads(manifest.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SourceError(
                f"{manifest} is damaged ({error}). Restore it from a backup, or remove the folder {child} and land "
                f"{source}.{entity} again."
            ) from None
        found.append(Load(source, entity, child.name.removeprefix(prefix), kind, child, content))
    return found


def today_complete(settings: Settings, source_clock: datetime | None = None) -> date:
    """The first local day that what is read now does not cover whole: the pinned `as_of`, else today.

    Today is what the slower of two clocks says, this machine's and the source's: a day that one of them has not
    finished is not complete, and a clock that jumped ahead must not declare days complete that are still to come.
    """
    now = datetime.now(UTC)
    return settings.as_of or min(now, source_clock or now).astimezone(settings.zone).date()


def complete_until(settings: Settings, source: str) -> date | None:
    """First local day that `source` does not cover whole; None when not all of its entities have landed.

    An entity of the source `files` that never had a file does not hold the date back.
    """
    from retention.sources import entities

    days: list[date] = []
    for entity in entities(settings, source):
        if covered := entity_complete_until(settings, entity):
            days.append(covered)
        elif source != "files":
            return None
    return min(days) if days else None


def entity_complete_until(settings: Settings, entity: Entity) -> date | None:
    """First local day that an entity does not cover whole; None before its first load."""
    days = [load.complete_until for load in loads(settings, entity.source, entity.name)]
    return max((day for day in days if day), default=None)


def cursor_reached(settings: Settings, entity: Entity) -> datetime | int | None:
    """The greatest cursor that has landed, in the entity's own clock; None before the first load.

    Only loads that were read as the entity is read now count: an earlier cursor may have been another column.
    """
    reached = [
        _cursor_value(entity, load.manifest["cursor"]["to"])
        for load in loads(settings, entity.source, entity.name)
        if load.manifest["cursor"]
        and load.manifest["cursor"]["to"] is not None
        and load.manifest.get("definition", "") == entity.definition
    ]
    return max(reached) if reached else None  # type: ignore[type-var]


def is_read_as_before(settings: Settings, entity: Entity) -> bool:
    """Whether the last load was read by the definition that the entity has now."""
    earlier = loads(settings, entity.source, entity.name)
    return not earlier or earlier[-1].manifest.get("definition", "") == entity.definition


def last_checksum(settings: Settings, entity: Entity) -> str | None:
    """Checksum of the input that the last load, of rows or of deleted keys, was made from."""
    every = loads(settings, entity.source, entity.name) + tombstones(settings, entity.source, entity.name)
    return max(every, key=lambda load: load.load_id).manifest["input_checksum"] if every else None


def _cursor_value(entity: Entity, text: str) -> datetime | int:
    return int(text) if isinstance(entity.overlap, int) else datetime.fromisoformat(text)


def relation_sql(settings: Settings, entity: Entity) -> str:
    """SELECT of all landed rows of an entity: its columns, `_load_id`, `_row_number`.

    Rows whose key was reported deleted by a later load are left out; a key that came back since is in.
    """
    row_loads = [load for load in loads(settings, entity.source, entity.name) if load.rows]
    if not row_loads:
        columns = ", ".join(f"null::{kind} as {quote(name)}" for name, kind in entity.columns.items())
        return f"select {columns}, null::varchar as _load_id, null::bigint as _row_number where false"

    landed = {column["name"] for load in row_loads for column in load.manifest["schema"]}
    columns = ", ".join(
        quote(name) if name in landed else f"null::{kind} as {quote(name)}" for name, kind in entity.columns.items()
    )
    rows = (
        f"select {columns}, string_split(filename, '/')[-2][6:] as _load_id, file_row_number + 1 as _row_number "
        f"from read_parquet({_files(row_loads)}, union_by_name = true, hive_partitioning = false, "
        f"filename = true, file_row_number = true)"
    )
    deleted_loads = [load for load in tombstones(settings, entity.source, entity.name) if load.rows]
    if not deleted_loads:
        return rows

    key = ", ".join(map(quote, entity.key))
    # The key columns get names of their own: a join on "key is not distinct from key" needs both sides told apart.
    renamed = ", ".join(f"{quote(name)} as {quote('_deleted_' + name)}" for name in entity.key)
    deleted = (
        f"select {renamed}, "
        f"max(string_split(filename, '/')[-2][9:]) as _deleted_by "
        f"from read_parquet({_files(deleted_loads)}, union_by_name = true, hive_partitioning = false, "
        f"filename = true) group by {key}"
    )
    same = " and ".join(f"{quote(name)} is not distinct from {quote('_deleted_' + name)}" for name in entity.key)
    names = ", ".join(map(quote, entity.columns))
    return (
        f"select {names}, _load_id, _row_number from ({rows}) left join ({deleted}) on {same} "
        f"where _deleted_by is null or _deleted_by < _load_id"
    )


def present_sql(settings: Settings, entity: Entity) -> str:
    """SELECT of the present state: of every key that was not deleted, the row that landed last."""
    key = ", ".join(map(quote, entity.key))
    return (
        f"select * from ({relation_sql(settings, entity)}) "
        f"qualify row_number() over (partition by {key} order by _load_id desc, _row_number desc) = 1"
    )


def create_landing_views(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Create schema `landing` in a build file: a view per source table, and the table `landing.loads`.

    Every table of every connector and of every enabled SQL source exists; what has not landed, or belongs to a source
    that is not enabled, is empty with its columns. Raises SourceError when a file that a manifest names is missing or
    cut short.
    """
    from retention.sources import entities

    connection.execute("create schema if not exists landing")
    connection.execute(
        "create or replace table landing.loads (source varchar, entity varchar, load_id varchar, kind varchar, "
        "rows bigint, loaded_at timestamptz, complete_until date, is_full boolean)"
    )
    for source in dict.fromkeys((*CONNECTORS, *settings.sources)):
        enabled = source in settings.sources
        for entity in entities(settings, source):
            if enabled:
                body = relation_sql(settings, entity)
                found = loads(settings, source, entity.name) + tombstones(settings, source, entity.name)
            else:
                columns = ", ".join(f"null::{kind} as {quote(name)}" for name, kind in entity.columns.items())
                body = f"select {columns}, null::varchar as _load_id, null::bigint as _row_number where false"
                found = []
            for load in found:
                _check_files(load)
            connection.execute(f"create or replace view landing.{quote(f'{source}__{entity.name}')} as {body}")
            if found:
                connection.executemany(
                    "insert into landing.loads values (?, ?, ?, ?, ?, ?::timestamptz, ?, ?)",
                    [
                        (
                            source,
                            entity.name,
                            load.load_id,
                            load.kind,
                            load.rows,
                            load.manifest["loaded_at"],
                            load.complete_until,
                            load.is_full,
                        )
                        for load in sorted(found, key=lambda load: load.load_id)
                    ],
                )


def verify(settings: Settings) -> list[str]:
    """Compare every landed file of the enabled sources with the checksum in its manifest.

    Returns what is wrong, one sentence each.
    """
    from retention.sources import entities

    wrong = []
    for source in settings.sources:
        for entity in entities(settings, source):
            for load in loads(settings, source, entity.name) + tombstones(settings, source, entity.name):
                for file in load.manifest["files"]:
                    path = load.folder / file["name"]
                    if not path.is_file():
                        wrong.append(f"{path} is missing")
                    elif sha256(path) != file["sha256"]:
                        wrong.append(f"{path} does not have the checksum of its manifest")
    return wrong


def _check_files(load: Load) -> None:
    for file in load.manifest["files"]:
        path = load.folder / file["name"]
        if not path.is_file() or path.stat().st_size != file["bytes"]:
            raise SourceError(
                f"{path} is missing or cut short. Restore it from a backup, or remove the folder {load.folder} and "
                f"land {load.source}.{load.entity} again."
            )


def _files(some: list[Load]) -> str:
    return literal([str(load.part) for load in some])


def sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
