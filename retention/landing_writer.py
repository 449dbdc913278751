"""Writing into the landing zone: one writer per source, what changed and what vanished, whole or not at all."""

import fcntl
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import duckdb

from retention.disk import fsync
from retention.duck import literal, quote
from retention.landing import (
    MANIFEST,
    MERGED,
    PART,
    SINGLE,
    TEMPORARY,
    Load,
    entity_complete_until,
    is_read_as_before,
    last_checksum,
    loads,
    relation_sql,
    sha256,
)
from retention.settings import Settings
from retention.sources.entity import Entity, SourceError

log = logging.getLogger(__name__)

LOCK_WAIT_SECONDS = 900
LOAD_ID_FORMAT = "%Y%m%dT%H%M%S.%fZ"


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
        # Without the file, as after a restore that left it out: later than all that is there.
        previous = handle.read().strip() or _latest_load_id(settings)
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


def _latest_load_id(settings: Settings) -> str:
    beginnings = (*SINGLE.values(), *MERGED.values())
    names = (path.name for beginning in beginnings for path in settings.landing.glob(f"*/*/{beginning}*"))
    return max((re.split("=|--", name)[-1] for name in names), default="")


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
    """Give the load its id and its manifest, and seal its folder."""
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
        "files": [described(part, rows)],
    }
    final = folder.parent / f"{SINGLE[kind]}{load_id}"
    seal(folder, manifest, final)
    return Load(entity.source, entity.name, load_id, kind, final, manifest)


def seal(folder: Path, manifest: dict[str, Any], final: Path) -> None:
    """Write the manifest beside the part, flush everything and rename the folder: from here on it exists."""
    part = folder / PART
    for leftover in folder.iterdir():
        if leftover.name != PART:
            leftover.unlink()
    with (folder / MANIFEST).open("w", encoding="utf-8") as handle:
        json.dump(manifest, handle, indent=1, ensure_ascii=False)
        handle.flush()
        os.fsync(handle.fileno())
    for path in (part, folder):
        fsync(path)
    folder.rename(final)
    fsync(final.parent)


def described(part: Path, rows: int) -> dict[str, Any]:
    """A file as a manifest names it."""
    return {"name": part.name, "rows": rows, "bytes": part.stat().st_size, "sha256": sha256(part)}


def count_rows(connection: duckdb.DuckDBPyConnection, part: Path) -> int:
    return int(_scalar(connection, f"select count(*) from read_parquet({literal(part)})"))


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _scalar(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
