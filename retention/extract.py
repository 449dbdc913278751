"""Landing what changed at a source, and finding what vanished there. Called by the CLI and by the DAGs."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import duckdb

from retention import landing, landing_writer, schema_drift
from retention.duck import connect as duck_connect
from retention.duck import literal, quote
from retention.landing_merge import merge_loads
from retention.settings import Settings
from retention.sources import Entity, Source, SourceError, entities, open_source
from retention.sources.entity import without_values
from retention.sources.files import FilesSource

log = logging.getLogger(__name__)

OnProgress = Callable[[str], None]

PROGRESS_SECONDS = 10
# Fewer rows than this may all be deleted at a source without a question.
SMALL_TABLE = 100


@dataclass(frozen=True)
class Landed:
    """What one entity brought: rows that were read, rows of them that are new or changed, keys that vanished, and how
    long it took."""

    source: str
    entity: str
    read: int
    rows: int
    deleted: int
    seconds: float

    def __str__(self) -> str:
        deleted = f", {self.deleted:,} deleted" if self.deleted else ""
        return (
            f"{self.source}.{self.entity}: {self.read:,} rows read, {self.rows:,} new or changed{deleted} "
            f"in {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class Reread:
    """What is to be read once more although it has landed: what the source stamped in the days `first` <= day < `end`
    (None = without that bound; neither = everything). Rows equal to what is here are not landed again."""

    first: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        if self.first and self.end and self.first >= self.end:
            raise SourceError(f"nothing lies between {self.first} and {self.end}: the second day must be the later one")

    @property
    def is_everything(self) -> bool:
        return self.first is None and self.end is None


class CursorMovedBackError(SourceError):
    """Rows of a mapped query are stamped earlier than they were. They have landed: asking again will not tell again."""


def extract_source(
    settings: Settings, source: str, on_progress: OnProgress | None = None, reread: Reread | None = None
) -> list[Landed]:
    """Land what changed at `source` since the last load, or what `reread` asks for.

    A table without a cursor is always read whole; so is one whose cursor is no time when a range of days is asked for.
    Returns one `Landed` per entity, in order. Raises SourceError when the source is not configured, does not answer,
    is being landed by another process, or changed its shape; entities landed before that stay landed.
    """
    return _each_entity(settings, source, on_progress, partial(_extract_entity, reread=reread))


def reconcile_source(settings: Settings, source: str, on_progress: OnProgress | None = None) -> list[Landed]:
    """Compare all keys of `source` with what has landed: land tombstones for keys that vanished, and rows missed.

    A row is missed when it was committed later than the overlap of the cursor. Many small loads are merged before.
    Returns and raises as `extract_source`.
    """

    def work(run: _Run, entity: Entity) -> _Counts:
        merge_loads(run.connection, settings, entity)
        return _reconcile_entity(run, entity)

    return _each_entity(settings, source, on_progress, work)


def _each_entity(
    settings: Settings,
    source: str,
    on_progress: OnProgress | None,
    work: Callable[["_Run", Entity], "_Counts"],
) -> list[Landed]:
    report = on_progress or log.info
    landed = []
    moved_back = []
    with landing_writer.locked(settings, source), open_source(settings, source) as opened:
        connection = duck_connect(settings.extensions)
        try:
            with without_values(source):
                run = _Run(settings, opened, connection, landing.today_complete(settings, opened.clock()), report)
                opened.check()
            for entity in entities(settings, source):
                started = time.monotonic()
                try:
                    with without_values(entity.label, entity.described_in):
                        counts = work(run, entity)
                except CursorMovedBackError as error:
                    moved_back.append(str(error))
                    continue
                result = Landed(source, entity.name, *counts, time.monotonic() - started)
                log.info("%s", result)
                landed.append(result)
        finally:
            connection.close()
    if moved_back:
        raise CursorMovedBackError("\n".join(moved_back))
    return landed


class _Counts(NamedTuple):
    """Rows read, rows landed, tombstones landed."""

    read: int
    rows: int
    deleted: int


@dataclass
class _Run:
    """What the entities of one run share."""

    settings: Settings
    source: Source
    connection: duckdb.DuckDBPyConnection
    # Taken before the first read: what is committed after it belongs to a day that is not complete yet.
    covers_until: date
    report: OnProgress


def _extract_entity(run: _Run, entity: Entity, reread: Reread | None = None) -> _Counts:
    if isinstance(run.source, FilesSource):
        return _extract_file(run, run.source, entity, anew=reread is not None)
    schema_drift.check_schema(run.settings, entity, schema := run.source.schema(entity))
    since = _since(run.settings, entity)
    if reread is None or since is None:
        return _read_changes(run, entity, schema, since)
    if reread.is_everything or not isinstance(since, datetime):
        return _read_changes(run, entity, schema, None)
    first, end = (_stamp(run, day) if day else None for day in (reread.first, reread.end))
    return _read_changes(run, entity.read_thoroughly(), schema, first, until=end, is_backfill=True)


def _stamp(run: _Run, day: date) -> datetime:
    """The beginning of a company day as the source writes its timestamps."""
    return run.source.stamp(datetime.combine(day, datetime.min.time(), run.settings.zone))


def _read_changes(
    run: _Run,
    entity: Entity,
    schema: dict[str, str],
    since: datetime | int | None,
    until: datetime | int | None = None,
    is_backfill: bool = False,
) -> _Counts:
    """Read and land the rows with since <= cursor < until.

    A backfill moves neither the cursor nor the day up to which the source is known: what lies between its days and
    the present has not been read by it.
    """
    now = run.source.stamp(datetime.now(UTC))
    covers_until = run.covers_until
    if is_backfill:
        now = landing.cursor_reached(run.settings, entity)
        covers_until = landing.entity_complete_until(run.settings, entity)
    is_whole = since is None and until is None
    # Two folders: the one of the rows becomes the load, the keys are needed after that.
    with (
        landing_writer.workspace(run.settings, entity) as folder,
        landing_writer.workspace(run.settings, entity) as aside,
        _progress(run.report, entity) as on_rows,
    ):
        raw = folder / "raw.parquet"
        began = run.source.extract(entity, since, raw, on_rows, until)
        if began and not is_backfill:
            # What changed since at rows that an earlier attempt had read is for the next load to find.
            now = min(now, run.source.stamp(began))
            covers_until = min(covers_until, began.astimezone(run.settings.zone).date())
        read = landing_writer.count_rows(run.connection, raw)
        keys = None
        if is_whole:
            keys = _copy_keys(run.connection, entity, f"read_parquet({literal(raw)})", aside)
            _refuse_sudden_emptiness(run, entity, keys)
        load = landing_writer.write_load(
            run.connection,
            run.settings,
            entity,
            raw,
            since=since,
            now=now,
            covers_until=covers_until,
            source_schema=schema,
        )
        deleted = _write_tombstones(run, entity, keys) if keys else 0
        return _Counts(read, load.rows if load else 0, deleted)


def _extract_file(run: _Run, source: FilesSource, entity: Entity, anew: bool = False) -> _Counts:
    path = source.path(entity)
    known = landing.loads(run.settings, "files", entity.name)
    if path is None and not known:
        return _Counts(0, 0, 0)
    checksum = landing.sha256(path) if path else "absent"
    unchanged = bool(known) and checksum == landing.last_checksum(run.settings, entity) and not anew
    with landing_writer.workspace(run.settings, entity) as folder, _progress(run.report, entity) as on_rows:
        raw = folder / "raw.parquet"
        if path is None or unchanged:
            _copy_nothing(run.connection, entity, raw)
        else:
            source.extract(entity, None, raw, on_rows)
        read = landing_writer.count_rows(run.connection, raw)
        if path is None and not unchanged:
            log.warning("files: the file of %s is gone; its rows are taken as deleted", entity.name)
        load = landing_writer.write_load(
            run.connection,
            run.settings,
            entity,
            raw,
            since=None,
            now=datetime.now(UTC),
            covers_until=run.covers_until,
            source_schema=source.schema(entity),
            whole=not unchanged,
            input_checksum=checksum,
        )
    # Judged each time, not only after a change: a run may have been killed between the rows and their tombstones.
    keys_of_file = f"({landing.last_full_sql(run.settings, entity)})"
    with landing_writer.workspace(run.settings, entity) as folder:
        deleted = _write_tombstones(run, entity, _copy_keys(run.connection, entity, keys_of_file, folder), checksum)
    return _Counts(read, load.rows if load else 0, deleted)


def _reconcile_entity(run: _Run, entity: Entity) -> _Counts:
    # A table that is read whole is reconciled by every extraction; so is one that is about to be read anew.
    is_known = landing.loads(run.settings, entity.source, entity.name) and landing.is_read_as_before(
        run.settings, entity
    )
    if not entity.cursor or not is_known:
        return _extract_entity(run, entity)
    schema_drift.check_schema(run.settings, entity, schema := run.source.schema(entity))
    with landing_writer.workspace(run.settings, entity) as folder, _progress(run.report, entity) as on_rows:
        keys = folder / "keys.parquet"
        run.source.keys(entity, keys, on_rows)
        _refuse_sudden_emptiness(run, entity, keys)
        missed, first_missed = _missed(run, entity, keys)
        read, rows = landing_writer.count_rows(run.connection, keys), 0
        moved_back = _take_out_moved_back(run, entity, keys)
        deleted = _write_tombstones(run, entity, keys)
    if missed:
        log.info("%s: %s rows had been missed or changed since the last load", entity.label, missed)
        # What an ordinary load has missed, another one would miss again.
        again = _read_changes(run, entity.read_thoroughly(), schema, first_missed)
        read, rows, deleted = again.read, again.rows, deleted + again.deleted
    if moved_back and entity.is_mapped_by_hand:
        raise CursorMovedBackError(moved_back)
    if moved_back:
        log.warning(moved_back)
    return _Counts(read, rows, deleted)


def _take_out_moved_back(run: _Run, entity: Entity, keys: Path) -> str:
    """Evidence that the cursor does not only grow: rows that are stamped earlier at the source than when they landed.

    An ordinary load would never have seen them; they are missed, and land by this reconciliation. Their keys are taken
    out of `keys`: what landed before counts as deleted, or the version with the later stamp would stand.
    """
    same = " and ".join(f"here.{quote(name)} is not distinct from there.{quote(name)}" for name in entity.key)
    # Times may have landed as text with an offset, and before the first row everything is text.
    is_older = " or ".join(
        f"try_cast(there.{quote(entity.cursor or '')}::varchar as {kind}) "
        f"< try_cast(here.{quote(entity.cursor or '')}::varchar as {kind})"
        for kind in ("timestamptz", "bigint")
    )
    older = (
        f"from read_parquet({literal(keys)}) as there "
        f"inner join ({landing.present_sql(run.settings, entity)}) as here on {same} where {is_older}"
    )
    key = ", ".join(f"there.{quote(name)}::varchar" for name in entity.key)
    row = run.connection.execute(f"select count(*), list(concat_ws('/', {key}))[1:5] {older}").fetchone()
    if not row or not row[0]:
        return ""
    names = ", ".join(f"there.{quote(name)}" for name in entity.key)
    others = keys.with_suffix(".others")
    run.connection.execute(
        f"copy (select {names} from read_parquet({literal(keys)}) as there except select {names} {older}) "
        f"to {literal(others)} (format parquet)"
    )
    others.rename(keys)
    return (
        f"{entity.described_in}: {entity.name}: an older {entity.cursor} than when they landed have {row[0]:,} rows, "
        f"such as {', '.join(row[1])}. They are landed now as they are, but a cursor must move forward with every "
        f"change, or changes are seen only once a day: choose another column, or leave the cursor out."
    )


def _since(settings: Settings, entity: Entity) -> datetime | int | None:
    """Where the next read starts: the cursor that was reached, less the overlap. None = from the beginning."""
    if not landing.is_read_as_before(settings, entity):
        log.info("%s: it is read otherwise than before, so it is read from its beginning", entity.label)
        return None
    reached = landing.cursor_reached(settings, entity) if entity.cursor else None
    if reached is None:
        return None
    if isinstance(reached, int):
        assert isinstance(entity.overlap, int)
        return reached - entity.overlap
    assert isinstance(entity.overlap, timedelta)
    return reached - entity.overlap


def _missed(run: _Run, entity: Entity, keys: Path) -> tuple[int, datetime | int | None]:
    """How many rows of the source are not here as they are there, and the least of their cursors (None = unknown)."""
    compared = [*entity.key, *([entity.cursor] if entity.cursor and entity.cursor not in entity.key else [])]
    same = " and ".join(f"here.{quote(name)} is not distinct from there.{quote(name)}" for name in compared)
    cursor = f"there.{quote(entity.cursor or '')}"
    row = run.connection.execute(
        f"""
        with there as (select * from read_parquet({literal(keys)}))
        select
            count(*),
            min(case when typeof({cursor}) = 'VARCHAR' then try_cast({cursor}::varchar as timestamptz)::varchar end),
            min({cursor}),
            count({cursor}),
            any_value(typeof({cursor}))
        from there
        where not exists (select 1 from ({landing.present_sql(run.settings, entity)}) as here where {same})
        """
    ).fetchone()
    assert row is not None
    count, least_text, least, known, kind = row
    if known < count:
        return count, None
    if kind == "VARCHAR" and least_text:
        return count, datetime.fromisoformat(least_text)
    # A cursor of days counts from their midnight, as it does in the manifests.
    return count, datetime.combine(least, datetime.min.time()) if type(least) is date else least


def _refuse_sudden_emptiness(run: _Run, entity: Entity, keys: Path) -> None:
    """A source that suddenly knows no key at all has most likely lost a permission, not its data."""
    there = run.connection.execute(f"select count(*) from read_parquet({literal(keys)})").fetchone()
    if (there and there[0]) or not entity.is_there:
        return
    here = run.connection.execute(f"select count(*) from ({landing.present_sql(run.settings, entity)})").fetchone()
    if here and here[0] > SMALL_TABLE:
        folder = run.settings.landing / entity.source / entity.name
        raise SourceError(
            f"{entity.label}: the source answers that it has no rows, and {here[0]:,} have landed. Nothing was marked "
            f"as deleted. Check the permissions of the account that reads it; if the table was really emptied, "
            f"move {folder} away."
        )


def _copy_keys(connection: duckdb.DuckDBPyConnection, entity: Entity, rows: str, folder: Path) -> Path:
    """Write the keys of rows, given as what stands behind `from`, into a folder."""
    target = folder / "keys.parquet"
    names = ", ".join(map(quote, entity.key))
    connection.execute(f"copy (select {names} from {rows}) to {literal(target)} (format parquet)")
    return target


def _copy_nothing(connection: duckdb.DuckDBPyConnection, entity: Entity, target: Path) -> None:
    columns = ", ".join(f"null::{kind} as {quote(name)}" for name, kind in entity.columns.items())
    connection.execute(f"copy (select {columns} where false) to {literal(target)} (format parquet)")


def _write_tombstones(run: _Run, entity: Entity, keys: Path, checksum: str | None = None) -> int:
    """Land tombstones from a folder of their own: the one of the keys may have become a load meanwhile."""
    with landing_writer.workspace(run.settings, entity) as folder:
        moved = folder / "keys.parquet"
        keys.rename(moved)
        load = landing_writer.write_tombstones(run.connection, run.settings, entity, moved, input_checksum=checksum)
    return load.rows if load else 0


@contextmanager
def _progress(report: OnProgress, entity: Entity) -> Iterator[Callable[[int], None]]:
    """Say every ten seconds that a load is still going on; gives the function that takes the rows so far."""
    finished = threading.Event()
    started = time.monotonic()
    rows = 0

    def on_rows(count: int) -> None:
        nonlocal rows
        rows = count

    def tick() -> None:
        while not finished.wait(PROGRESS_SECONDS):
            so_far = f", {rows:,} rows so far" if rows else ""
            report(f"{entity.label}: reading for {time.monotonic() - started:.0f} s{so_far}")

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield on_rows
    finally:
        finished.set()
        thread.join()
