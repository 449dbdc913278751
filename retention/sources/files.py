"""A folder of canonical CSV or Parquet files, one per entity of the contract.

The folder is the whole truth each time: a changed file is landed whole, keys that are no longer in it get tombstones,
and so does everything of a file that was taken away. Values land as text, in the order of the file.
"""

import csv
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from retention.duck import connect as duck_connect
from retention.duck import literal, quote
from retention.settings import Settings
from retention.sources.contract import CANONICAL
from retention.sources.entity import Entity, SourceError

log = logging.getLogger(__name__)

ENTITIES = tuple(
    Entity(
        source="files",
        name=entity.name,
        columns=dict.fromkeys(entity.columns, "VARCHAR"),
        key=entity.key,
        required=frozenset(entity.required),
    )
    for entity in CANONICAL.values()
)


class FilesSource:
    """One folder. See `retention.sources.Source` for the methods."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self._folder = folder
        self._connection = connection

    def stamp(self, moment: datetime) -> datetime:
        return moment

    def clock(self) -> datetime | None:
        return None

    def may_write(self) -> str:
        return ""

    def path(self, entity: Entity) -> Path | None:
        """The file of an entity; None when there is none. Raises SourceError when there are two."""
        found = [path for suffix in (".csv", ".parquet") if (path := self._folder / f"{entity.name}{suffix}").is_file()]
        if len(found) > 1:
            raise SourceError(f"{self._folder}: both {found[0].name} and {found[1].name} are there; keep one of them")
        return found[0] if found else None

    def check(self) -> None:
        """Look at every file before anything is landed, so that a broken folder lands nothing.

        Raises SourceError naming file, entity and column.
        """
        paths = {entity.name: self.path(entity) for entity in ENTITIES}
        if paths["clients"] is None:
            raise SourceError(
                f"{self._folder}: the entity clients is missing. Put clients.csv (or clients.parquet) there, with the "
                f"columns {', '.join(CANONICAL['clients'].required)}."
            )
        if paths["contracts"] is None and paths["prepaid_events"] is None:
            raise SourceError(
                f"{self._folder}: neither contracts nor prepaid_events is there. Put contracts.csv or "
                f"prepaid_events.csv (or both) there: without one of them nobody is known to be a paying client."
            )
        for entity in ENTITIES:
            if (path := paths[entity.name]) is None:
                continue
            columns = self._columns(path)
            doubled = sorted({name for name in columns if columns.count(name) > 1 and name in entity.columns})
            if doubled:
                raise SourceError(f"{path}: entity {entity.name}: the column {', '.join(doubled)} is there twice")
            missing = [name for name in entity.columns if name in entity.required and name not in columns]
            if missing:
                hint = "; is the file separated by commas, and its first line a header?" if len(columns) == 1 else ""
                raise SourceError(
                    f"{path}: entity {entity.name}: the required column {', '.join(missing)} is missing. "
                    f"The header has: {', '.join(columns)}{hint}"
                )
            if extra := [name for name in columns if name not in entity.columns]:
                log.warning("%s: entity %s: extra columns ignored: %s", path, entity.name, ", ".join(extra))
        known = {f"{entity.name}{suffix}" for entity in ENTITIES for suffix in (".csv", ".parquet")}
        for path in sorted(self._folder.iterdir()):
            if path.suffix in (".csv", ".parquet") and path.name not in known:
                log.warning("%s is not an entity of the contract and was ignored", path)

    def schema(self, entity: Entity) -> dict[str, str]:
        path = self.path(entity)
        return dict.fromkeys(self._columns(path), "VARCHAR") if path else {}

    def extract(
        self,
        entity: Entity,
        since: datetime | int | None,
        target: Path,
        on_rows: Callable[[int], None],
        until: datetime | int | None = None,
    ) -> None:
        path = self.path(entity)
        assert path is not None
        columns = self._columns(path)
        if path.suffix == ".parquet":
            source = f"read_parquet({literal(path)}, hive_partitioning = false)"
            names = {name: quote(name) for name in columns}
        else:
            # Positions instead of names: a header may hold doubled or empty names among those that are ignored.
            kinds = ", ".join(f"'c{position}': 'VARCHAR'" for position in range(len(columns)))
            source = (
                f"read_csv({literal(path)}, auto_detect = false, header = true, columns = {{{kinds}}}, delim = ',', "
                f"quote = '\"', escape = '\"', nullstr = '', encoding = 'utf-8')"
            )
            names = {name: f"c{position}" for position, name in enumerate(columns)}
        # An empty text is no value, in Parquet as in CSV.
        select = ", ".join(
            f"nullif(cast({names[name]} as varchar), '') as {quote(name)}"
            if name in names
            else f"null::varchar as {quote(name)}"
            for name in entity.columns
        )
        try:
            self._connection.execute(
                f"copy (select {select} from {source}) to {literal(target)} (format parquet, compression zstd)"
            )
        except duckdb.Error as error:
            raise SourceError(f"{path}: entity {entity.name}: {_explain(str(error))}") from None

    def keys(self, entity: Entity, target: Path, on_rows: Callable[[int], None]) -> None:
        self.extract(entity, None, target, on_rows)

    def _columns(self, path: Path) -> list[str]:
        if path.suffix == ".parquet":
            try:
                rows = self._connection.execute(
                    f"describe select * from read_parquet({literal(path)}, hive_partitioning = false)"
                ).fetchall()
            except duckdb.Error:
                raise SourceError(f"{path}: this is not a readable Parquet file; write it again or give CSV") from None
            return [row[0] for row in rows]
        try:
            # utf-8-sig takes a byte order mark away and does not ask for one.
            with path.open(encoding="utf-8-sig", newline="") as handle:
                header = next(csv.reader(handle), None)
        except UnicodeDecodeError:
            raise SourceError(
                f"{path}: the file is not UTF-8; save it as UTF-8 (with or without a byte order mark)"
            ) from None
        if not header:
            raise SourceError(f"{path}: the file is empty; its first line must be a header with the column names")
        return [name.strip() for name in header]


def entities(settings: Settings, source: str) -> Sequence[Entity]:
    return ENTITIES


@contextmanager
def connect(settings: Settings, source: str) -> Iterator[FilesSource]:
    """Open the folder of the setting `files_dir`."""
    folder = settings.files_dir
    if folder is None:
        raise SourceError("files: no folder is configured. Give --files DIR or set RETENTION_FILES_DIR.")
    if not folder.is_dir():
        raise SourceError(f"files: {folder} is not a folder. Give the folder that holds clients.csv and the others.")
    connection = duck_connect(settings.extensions)
    try:
        yield FilesSource(folder, connection)
    finally:
        connection.close()


def _explain(message: str) -> str:
    """Say in a line what is wrong with a CSV file, without the row itself: rows hold names of people."""
    line = re.search(r"CSV Error on Line: (\d+)", message)
    where = f"line {line.group(1)}: " if line else ""
    expected = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if expected:
        return (
            f"{where}{expected.group(2)} values where the header has {expected.group(1)}; quote values that hold commas"
        )
    if "unicode" in message or "utf-8" in message:
        return f"{where}not UTF-8; save the file as UTF-8 (with or without a byte order mark)"
    if "quote" in message.lower():
        return f'{where}a quoted value is not closed, or holds a quote that is not doubled ("")'
    kept = [text for text in message.splitlines() if text and not text.startswith(("Original Line", "*", "  "))]
    return f"{where}{' '.join(kept)[:300]}"
