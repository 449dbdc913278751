"""The landing zone: rows as the sources delivered them, in Parquet, append-only; and how they are read back.

    landing/<source>/<entity>/load=<load_id>/part-0.parquet, _manifest.json      rows that are new or changed
    landing/<source>/<entity>/deleted=<load_id>/part-0.parquet, _manifest.json   keys that vanished at the source

A load is written into a folder with a temporary name, flushed to disk and renamed as the last step. What has no
manifest under its final name does not exist; leftovers of killed loads are swept by the next load of that source.
Writing is the work of landing_writer.py.

Many small loads are slow to read. landing_merge.py puts neighbours into one folder, `loads=<first>--<last>` or
`deletions=<first>--<last>`, with every row as it landed, its `_load_id` and `_row_number` beside it, and the manifests
of all of them. What a merged folder holds is taken from there alone.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb

from retention.duck import literal, quote
from retention.settings import CONNECTORS, Settings
from retention.sources.entity import Entity, SourceError

MANIFEST = "_manifest.json"
PART = "part-0.parquet"
TEMPORARY = ".tmp-"
# Kind of a load -> the beginning of the name of its folder, and of one that several were merged into.
SINGLE = {"rows": "load=", "deleted": "deleted="}
MERGED = {"rows": "loads=", "deleted": "deletions="}


@dataclass(frozen=True)
class Load:
    """One complete load. `kind` is `rows` or `deleted`; `manifest` is the parsed manifest; `folder` holds its rows."""

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


@dataclass(frozen=True)
class Folder:
    """A folder of the landing zone: one load, or several neighbours that were merged.

    `first` and `last` are the ids of its loads; `files` are those of its manifest: name, rows, bytes and checksum.
    """

    path: Path
    first: str
    last: str
    is_merged: bool
    loads: tuple[Load, ...]
    files: list[dict[str, Any]]

    @property
    def part(self) -> Path:
        return self.path / PART

    @property
    def rows(self) -> int:
        return sum(load.rows for load in self.loads)


def loads(settings: Settings, source: str, entity: str) -> list[Load]:
    """Complete loads of rows, oldest first."""
    return _loads(settings, source, entity, "rows")


def tombstones(settings: Settings, source: str, entity: str) -> list[Load]:
    """Complete loads of deleted keys, oldest first."""
    return _loads(settings, source, entity, "deleted")


def _loads(settings: Settings, source: str, entity: str, kind: str) -> list[Load]:
    every = (load for folder in folders(settings, source, entity, kind) for load in folder.loads)
    return sorted(every, key=lambda load: load.load_id)


def folders(settings: Settings, source: str, entity: str, kind: str) -> list[Folder]:
    """The folders of complete loads of a kind (`rows` or `deleted`), oldest first; each load is in one of them."""
    return _told_apart(settings, source, entity, kind)[0]


def replaced(settings: Settings, source: str, entity: str, kind: str) -> list[tuple[Path, Path]]:
    """Folders that are not read any more, each with the merged one that holds its loads."""
    return _told_apart(settings, source, entity, kind)[1]


Place = tuple[Path, str, str]  # a folder, the ids of its first and last load


def _complete(settings: Settings, source: str, entity: str, kind: str) -> list[Place]:
    parent = settings.landing / source / entity
    found = []
    for child in parent.iterdir() if parent.is_dir() else ():
        start, _, ids = child.name.partition("=")
        if f"{start}=" in (SINGLE[kind], MERGED[kind]) and (child / MANIFEST).is_file():
            first, _, last = ids.partition("--")
            found.append((child, first, last or first))
    # Of those that begin with the same load, the one that reaches furthest comes first.
    return sorted(sorted(found, key=lambda place: place[2], reverse=True), key=lambda place: place[1])


def _told_apart(
    settings: Settings, source: str, entity: str, kind: str
) -> tuple[list[Folder], list[tuple[Path, Path]]]:
    """The folders that count, and the paths of those whose loads one of them holds, each with the path of that one."""
    count: list[Folder] = []
    over: list[tuple[Path, Path]] = []
    widest: Folder | None = None
    held: set[str] = set()
    for path, first, last in _complete(settings, source, entity, kind):
        if widest and {first, last} <= held:
            over.append((path, widest.path))
            continue
        folder = _opened(source, entity, kind, path, first, last)
        count.append(folder)
        if folder.is_merged:
            widest, held = folder, {load.load_id for load in folder.loads}
    return count, over


def _opened(source: str, entity: str, kind: str, path: Path, first: str, last: str) -> Folder:
    manifest = path / MANIFEST
    is_merged = path.name.startswith(MERGED[kind])
    try:
        content = read_manifest(manifest, manifest.stat().st_mtime_ns)
    except ValueError as error:
        raise SourceError(f"{manifest} is damaged ({error}). {_what_to_do(path)}") from None
    every = content["loads"] if is_merged else [content]
    some = tuple(Load(source, entity, each["load_id"], kind, path, each) for each in every)
    return Folder(path, first, last, is_merged, some, content["files"])


@lru_cache(maxsize=10_000)
def read_manifest(manifest: Path, modified_ns: int) -> dict[str, Any]:
    """A manifest: a run asks for the same ones many times, and they never change."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    if "loads" in content:
        # Each says only what is not as in the one before it.
        whole: dict[str, Any] = {}
        content["loads"] = [whole := {**whole, **each} for each in content["loads"]]
    return content


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
    filled = [folder for folder in folders(settings, entity.source, entity.name, "rows") if folder.rows]
    if not filled:
        return nothing_sql(entity)

    # Of loads that brought rows: a merged file has no column that nobody filled.
    brought = [load for folder in filled for load in folder.loads if load.rows]
    landed = {column["name"] for load in brought for column in load.manifest["schema"]}
    columns = ", ".join(
        quote(name) if name in landed else f"null::{kind} as {quote(name)}" for name, kind in entity.columns.items()
    )
    rows = f"select {columns}, _load_id, _row_number from ({parts_sql(filled)})"
    deletions = folders(settings, entity.source, entity.name, "deleted")
    if not deletions:
        return rows

    key = ", ".join(map(quote, entity.key))
    # The key columns get names of their own: a join on "key is not distinct from key" needs both sides told apart.
    renamed = ", ".join(f"{quote(name)} as {quote('_deleted_' + name)}" for name in entity.key)
    deleted = f"select {renamed}, max(_load_id) as _deleted_by from ({parts_sql(deletions)}) group by {key}"
    same = " and ".join(f"{quote(name)} is not distinct from {quote('_deleted_' + name)}" for name in entity.key)
    names = ", ".join(map(quote, entity.columns))
    return (
        f"select {names}, _load_id, _row_number from ({rows}) left join ({deleted}) on {same} "
        f"where _deleted_by is null or _deleted_by < _load_id"
    )


def nothing_sql(entity: Entity) -> str:
    """SELECT of no row in the shape of `relation_sql`."""
    columns = ", ".join(f"null::{kind} as {quote(name)}" for name, kind in entity.columns.items())
    return f"select {columns}, null::varchar as _load_id, null::bigint as _row_number where false"


def parts_sql(some: list[Folder]) -> str:
    """SELECT of every row of folders as it landed: the columns that landed, `_load_id`, `_row_number` (from 1)."""
    files = literal([str(folder.part) for folder in some])
    of_folder = "split_part(string_split(filename, '/')[-2], '=', 2)"
    ids = {"_load_id": of_folder, "_row_number": "file_row_number + 1"}
    if any(folder.is_merged for folder in some):
        own = ", ".join(f"coalesce({name}, {of_file}) as {name}" for name, of_file in ids.items())
        columns = f"* exclude (filename, file_row_number) replace ({own})"
    else:
        own = ", ".join(f"{of_file} as {name}" for name, of_file in ids.items())
        columns = f"* exclude (filename, file_row_number), {own}"
    return (
        f"select {columns} from read_parquet({files}, union_by_name = true, hive_partitioning = false, "
        f"filename = true, file_row_number = true)"
    )


def present_sql(settings: Settings, entity: Entity) -> str:
    """SELECT of the present state: of every key that was not deleted, the row that landed last."""
    key = ", ".join(map(quote, entity.key))
    return (
        f"select * from ({relation_sql(settings, entity)}) "
        f"qualify row_number() over (partition by {key} order by _load_id desc, _row_number desc) = 1"
    )


def last_full_sql(settings: Settings, entity: Entity) -> str:
    """SELECT of the rows of the last load that holds an entity whole, as they landed. There must be one."""
    folder, load = next(
        (folder, load)
        for folder in reversed(folders(settings, entity.source, entity.name, "rows"))
        for load in reversed(folder.loads)
        if load.is_full
    )
    return f"select * from ({parts_sql([folder])}) where _load_id = {literal(load.load_id)}"


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
    found: list[Load] = []
    for source in dict.fromkeys((*CONNECTORS, *settings.sources)):
        for entity in entities(settings, source):
            body = nothing_sql(entity)
            if source in settings.sources:
                body = relation_sql(settings, entity)
                for folder in _every_folder(settings, entity):
                    check_files(folder)
                    found += folder.loads
            connection.execute(f"create or replace view landing.{quote(f'{source}__{entity.name}')} as {body}")
    # One statement: a year of hourly loads is hundreds of thousands of rows.
    rows = [
        (
            load.source,
            load.entity,
            load.load_id,
            load.kind,
            load.rows,
            load.manifest["loaded_at"],
            load.complete_until,
            load.is_full,
        )
        for load in sorted(found, key=lambda load: load.load_id)
    ]
    if rows:
        connection.execute(
            "insert into landing.loads select unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), "
            "unnest(?)::timestamptz, unnest(?), unnest(?)",
            [list(column) for column in zip(*rows, strict=True)],
        )


def verify(settings: Settings) -> list[str]:
    """Compare every landed file of the enabled sources with the checksum in its manifest.

    Returns what is wrong, and what to do.
    """
    from retention.sources import entities

    wrong = []
    for source in settings.sources:
        for entity in entities(settings, source):
            for folder in _every_folder(settings, entity):
                try:
                    check_files(folder, thoroughly=True)
                except SourceError as error:
                    wrong.append(str(error))
    return wrong


def _every_folder(settings: Settings, entity: Entity) -> list[Folder]:
    return [folder for kind in ("rows", "deleted") for folder in folders(settings, entity.source, entity.name, kind)]


def check_files(folder: Folder, *, thoroughly: bool = False) -> None:
    """Compare the files of a folder with its manifest: their length, and `thoroughly` their checksums.

    Raises SourceError.
    """
    for file in folder.files:
        path = folder.path / file["name"]
        is_whole = path.is_file() and path.stat().st_size == file["bytes"]
        if not is_whole or (thoroughly and sha256(path) != file["sha256"]):
            problem = "does not have the checksum of its manifest" if is_whole else "is missing or cut short"
            raise SourceError(f"{path} {problem}. {_what_to_do(folder.path)}")


def _what_to_do(folder: Path) -> str:
    """Advice to whoever has a damaged folder of the landing zone."""
    return (
        f"Restore it from a backup. Only without one, remove the folder {folder}, with what of the past is only there, "
        f"and land again what the source still has: `retention extract --full --source {folder.parent.parent.name}`."
    )


def sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
