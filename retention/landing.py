"""The landing zone: rows as the sources delivered them, in Parquet, append-only.

    landing/<source>/<entity>/load=<load_id>/part-0.parquet, _manifest.json      rows that are new or changed
    landing/<source>/<entity>/deleted=<load_id>/part-0.parquet, _manifest.json   keys that vanished at the source

A load is written into a folder with a temporary name, flushed to disk and renamed as the last step. What has no
manifest under its final name does not exist; leftovers of killed loads are swept by the next load of that source.
"""

import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import duckdb

from retention.duck import literal, quote
from retention.settings import CONNECTORS, Settings
from retention.sources.entity import Entity, SourceError

log = logging.getLogger(__name__)

MANIFEST = "_manifest.json"
PART = "part-0.parquet"
TEMPORARY = ".tmp-"
LOCK_WAIT_SECONDS = 900
LOAD_ID_FORMAT = "%Y%m%dT%H%M%S.%fZ"


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


# ---------------------------------------------------------------------------------------------------------- reading


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


# ---------------------------------------------------------------------------------------------------------- writing


@contextmanager
def locked(settings: Settings, source: str) -> Iterator[None]:
    """Hold the source's folder for one writer, and sweep what killed loads left behind.

    The lock is the kernel's and dies with its process, so a killed writer never blocks the next one. An hourly load
    that meets the daily reconciliation waits for it. Raises SourceError when it has waited too long.
    """
    folder = settings.landing / source
    folder.mkdir(parents=True, exist_ok=True)
    # Names of people and companies lie here: nobody but the owner has business in this folder.
    settings.landing.chmod(0o700)
    with (folder / ".lock").open("w") as handle:
        _wait_for(handle, source, folder)
        for leftover in folder.glob(f"*/{TEMPORARY}*"):
            log.warning("removed %s, left behind by a load that was interrupted", leftover)
            shutil.rmtree(leftover)
        yield


def _wait_for(handle: TextIO, source: str, folder: Path) -> None:
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SourceError(
                    f"another process has been landing {source} into {folder} for more than {LOCK_WAIT_SECONDS} s; "
                    f"wait until it has finished, or stop it, and run again"
                ) from None
            if not told:
                log.info("another process is landing %s; waiting for it", source)
                told = True
            time.sleep(min(1, LOCK_WAIT_SECONDS))


def new_load_id(settings: Settings) -> str:
    """A load id later than every one given out for this home, even when the clock was set back."""
    settings.landing.mkdir(parents=True, exist_ok=True)
    with (settings.landing / ".last_load_id").open("a+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.seek(0)
        previous = handle.read().strip()
        moment = datetime.now(UTC)
        if previous:
            earlier = datetime.strptime(previous, LOAD_ID_FORMAT).replace(tzinfo=UTC)
            moment = max(moment, earlier + timedelta(microseconds=1))
        load_id = moment.strftime(LOAD_ID_FORMAT)
        handle.truncate(0)
        handle.write(load_id)
        handle.flush()
        os.fsync(handle.fileno())
    return load_id


@contextmanager
def workspace(settings: Settings, entity: Entity) -> Iterator[Path]:
    """A temporary folder beside the loads of an entity, removed at the end unless it was renamed into place."""
    folder = settings.landing / entity.source / entity.name / f"{TEMPORARY}{os.getpid()}-{new_load_id(settings)}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_load(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    entity: Entity,
    raw: Path,
    *,
    since: datetime | int | None,
    now: datetime | int | None,
    covers_until: date | None,
    source_schema: dict[str, str],
    whole: bool = False,
    input_checksum: str | None = None,
) -> Load | None:
    """Land the rows of the Parquet file `raw`, which must lie in `workspace()`.

    Rows equal to the present state of their key are left out, unless `whole` (the file source lands files as they
    are). Nothing is written when nothing is new and an earlier load covers the same days. `now` caps the cursor: one
    row stamped in the future must not make the next reads skip everything before it. `since` is where the read began
    (None = from the beginning). Returns the load, or None.
    """
    earlier = loads(settings, entity.source, entity.name)
    part = raw.parent / PART
    cursor = None
    if entity.cursor:
        # Of all that was read, not only of what is new: what was read once need not be read again.
        low, high = _cursor_range(connection, entity, raw, now)
        cursor = {"column": entity.cursor, "since": _text(since), "from": low, "to": high}
    if earlier and not whole and any(load.rows for load in earlier):
        count = _copy_changed(connection, settings, entity, raw, part)
        raw.unlink()
    else:
        raw.rename(part)
        count = count_rows(connection, part)

    covered = entity_complete_until(settings, entity)
    changed_input = bool(earlier) and input_checksum != last_checksum(settings, entity)
    changed_input = changed_input or not is_read_as_before(settings, entity)
    if not count and earlier and covered is not None and (covers_until or covered) <= covered and not changed_input:
        return None

    return _finish(
        connection,
        settings,
        entity,
        part.parent,
        kind="rows",
        rows=count,
        is_full=whole or (since is None and not earlier),
        cursor=cursor,
        covers_until=max(filter(None, (covers_until, covered)), default=None),
        source_schema=source_schema,
        input_checksum=input_checksum,
    )


def write_tombstones(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    entity: Entity,
    keys: Path,
    *,
    input_checksum: str | None = None,
) -> Load | None:
    """Land the keys that are present here and not in the Parquet file `keys` (the key columns as the source has them).

    `keys` must lie in `workspace()`. Returns the load, or None when nothing vanished.
    """
    names = ", ".join(map(quote, entity.key))
    same = " and ".join(f"here.{quote(name)} is not distinct from there.{quote(name)}" for name in entity.key)
    part = keys.parent / PART
    connection.execute(
        f"copy (select distinct {names} from ({relation_sql(settings, entity)}) as here where not exists "
        f"(select 1 from read_parquet({literal(keys)}) as there where {same})) to {literal(part)} (format parquet)"
    )
    count = count_rows(connection, part)
    if not count:
        part.unlink()
        return None
    keys.unlink()
    return _finish(
        connection,
        settings,
        entity,
        part.parent,
        kind="deleted",
        rows=count,
        is_full=False,
        cursor=None,
        covers_until=None,
        source_schema={},
        input_checksum=input_checksum,
    )


def _copy_changed(
    connection: duckdb.DuckDBPyConnection, settings: Settings, entity: Entity, raw: Path, part: Path
) -> int:
    """Copy the rows of `raw` that differ from the present state of their key, in their order."""
    names = [row[0] for row in connection.execute(f"describe select * from read_parquet({literal(raw)})").fetchall()]
    key = " and ".join(f"here.{quote(name)} is not distinct from fresh.{quote(name)}" for name in entity.key)
    # A column that is not read any more is empty from now on: a row that had something in it is another row.
    same = " and ".join(
        f"here.{quote(name)} is not distinct from fresh.{quote(name)}"
        if name in names
        else f"here.{quote(name)} is null"
        for name in entity.columns
    )
    columns = ", ".join(f"fresh.{quote(name)}" for name in names)
    known = ", ".join(quote(name) for name in entity.columns)
    connection.execute(
        f"""
        copy (
            with fresh as (
                select *, file_row_number as _order from read_parquet({literal(raw)}, file_row_number = true)
            ),
            here as (
                select {known} from (
                    select * from ({relation_sql(settings, entity)}) as here
                    where exists (select 1 from fresh where {key})
                )
                qualify row_number() over (
                    partition by {", ".join(map(quote, entity.key))} order by _load_id desc, _row_number desc
                ) = 1
            )
            select {columns} from fresh where not exists (select 1 from here where {same}) order by fresh._order
        ) to {literal(part)} (format parquet, compression zstd)
        """
    )
    return count_rows(connection, part)


def _cursor_range(
    connection: duckdb.DuckDBPyConnection, entity: Entity, part: Path, now: datetime | int | None
) -> tuple[str | None, str | None]:
    """The least and greatest cursor of a part, as text; the greatest is capped at `now`."""
    column = quote(entity.cursor or "")
    kind = _scalar(connection, f"select any_value(typeof({column})) from read_parquet({literal(part)})") or "BIGINT"
    # Sources that deliver text (an HTTP interface) carry an offset in it; comparing instants is right, texts is not.
    value = f"try_cast({column} as timestamptz)" if kind == "VARCHAR" else column
    row = connection.execute(f"select min({value}), max({value}) from read_parquet({literal(part)})").fetchone()
    low, high = row if row else (None, None)
    if isinstance(high, datetime) and isinstance(now, datetime):
        high = min(high, now)
    elif isinstance(high, date) and isinstance(now, datetime):
        high = min(high, now.date())
    return _text(low), _text(high)


def _finish(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    entity: Entity,
    folder: Path,
    *,
    kind: str,
    rows: int,
    is_full: bool,
    cursor: dict[str, Any] | None,
    covers_until: date | None,
    source_schema: dict[str, str],
    input_checksum: str | None,
) -> Load:
    """Write the manifest, flush everything and rename the folder: from here on the load exists."""
    part = folder / PART
    load_id = new_load_id(settings)
    manifest = {
        "format": 1,
        "source": entity.source,
        "entity": entity.name,
        "load_id": load_id,
        "kind": kind,
        "rows": rows,
        "is_full": is_full,
        "key": list(entity.key),
        "definition": entity.definition,
        "cursor": cursor,
        "complete_until": covers_until.isoformat() if covers_until else None,
        "loaded_at": datetime.now(UTC).isoformat(),
        "schema": [
            {"name": row[0], "type": row[1]}
            for row in connection.execute(f"describe select * from read_parquet({literal(part)})").fetchall()
        ],
        "source_schema": source_schema,
        "input_checksum": input_checksum,
        "files": [{"name": PART, "rows": rows, "bytes": part.stat().st_size, "sha256": sha256(part)}],
    }
    for leftover in folder.iterdir():
        if leftover.name != PART:
            leftover.unlink()
    with (folder / MANIFEST).open("w", encoding="utf-8") as handle:
        json.dump(manifest, handle, indent=1, ensure_ascii=False)
        handle.flush()
        os.fsync(handle.fileno())
    for path in (part, folder):
        _fsync(path)
    final = folder.parent / f"{'load' if kind == 'rows' else 'deleted'}={load_id}"
    folder.rename(final)
    _fsync(final.parent)
    return Load(entity.source, entity.name, load_id, kind, final, manifest)


def last_checksum(settings: Settings, entity: Entity) -> str | None:
    """Checksum of the input that the last load, of rows or of deleted keys, was made from."""
    every = loads(settings, entity.source, entity.name) + tombstones(settings, entity.source, entity.name)
    return max(every, key=lambda load: load.load_id).manifest["input_checksum"] if every else None


# ----------------------------------------------------------------------------------------------------- schema drift

# A wider type holds every value of the narrower one: nothing that was landed becomes wrong.
_INTEGERS = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"]


def check_schema(settings: Settings, entity: Entity, schema: dict[str, str]) -> None:
    """Compare what the source offers now (column -> type) with what is needed and with the last manifest.

    Added columns are logged. Raises SourceError when a needed column is gone or has another type.
    """
    gone = sorted(column for column in entity.required if column not in schema)
    if gone:
        raise SourceError(
            f"{entity.label}: the column {', '.join(gone)} is gone from the source. Nothing was landed from this "
            f"table. Bring the column back (or a view of the old shape), or, when it was renamed, write its new name "
            f"into {entity.described_in}."
        )
    if not is_read_as_before(settings, entity):
        return
    previous = next(
        (
            load.manifest["source_schema"]
            for load in reversed(loads(settings, entity.source, entity.name))
            if load.manifest["source_schema"]
        ),
        None,
    )
    if previous is None:
        return
    for column in entity.columns:
        before, after = previous.get(column), schema.get(column)
        if before and after and not _holds(before, after):
            folder = settings.landing / entity.source / entity.name
            raise SourceError(
                f"{entity.label}: the column {column} was {before} and is now {after}. Nothing was landed from this "
                f"table. Change it back, or, when it is meant, adapt {entity.described_in} and move {folder} away: "
                f"the table is then landed anew."
            )
    added = sorted(set(schema) - set(previous))
    if added:
        log.info("%s: new at the source and not read: %s", entity.label, ", ".join(added))
    lost = sorted(set(previous) - set(schema))
    if lost:
        log.warning("%s: no longer at the source: %s", entity.label, ", ".join(lost))


def _holds(before: str, after: str) -> bool:
    """Whether type `after` holds every value of type `before` with the same meaning."""
    if before == after:
        return True
    if before in _INTEGERS and after in _INTEGERS:
        return _INTEGERS.index(after) >= _INTEGERS.index(before)
    narrow, wide = (re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind) for kind in (before, after))
    if narrow and wide:
        digits, scale = (int(group) for group in narrow.groups())
        more_digits, more_scale = (int(group) for group in wide.groups())
        return more_scale >= scale and more_digits - more_scale >= digits - scale
    return False


# ---------------------------------------------------------------------------------------------------------- helpers


def count_rows(connection: duckdb.DuckDBPyConnection, part: Path) -> int:
    return int(_scalar(connection, f"select count(*) from read_parquet({literal(part)})"))


def sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _scalar(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
