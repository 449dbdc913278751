"""A folder of canonical CSV or Parquet files, one per entity of the contract.

The folder is the whole truth each time: a changed file is landed whole, keys that are no longer in it get tombstones,
and so does everything of a file that was taken away. Values land as text, as they are written; what a spreadsheet's
`31.12.2024` and `1 234,50` mean is read by dbt.
"""

import csv
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from retention.duck import connect as duck_connect
from retention.duck import literal, quote
from retention.settings import Settings
from retention.sources.contract import CANONICAL
from retention.sources.entity import Entity, SourceError

log = logging.getLogger(__name__)

SUFFIXES = (".csv", ".parquet")
COMMENT = "#"
# DuckDB ends a line that is longer with an error of its own; Python's reader would give up a value far earlier.
csv.field_size_limit(10_000_000)
# What people put beside the files and expect to be read.
OTHER_TABLES = {".xlsx", ".xls", ".ods", ".tsv", ".txt"}
# Lines of a file that are named in a message; the rest is counted.
NAMED_LINES = 5

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


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file. `row` as a spreadsheet counts them; `text` says it with what to do."""

    file: str
    rule: str
    text: str
    row: int | None = None
    column: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.text}"


@dataclass(frozen=True)
class Layout:
    """How a CSV file is written: lines above the header (comments, blank ones), what separates values, the header."""

    above: int
    delimiter: str
    columns: list[str]


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
        """The file of an entity; None when there is none."""
        found = (self._folder / f"{entity.name}{suffix}" for suffix in SUFFIXES)
        return next((path for path in found if path.is_file()), None)

    def check(self) -> None:
        """Look at every file's head before anything is landed, so that a broken folder lands nothing.

        Raises SourceError with all that is wrong: file, entity and column.
        """
        if problems := list(self.problems()):
            raise SourceError("\n".join(f"{self._folder}/{problem}" for problem in problems))

    def problems(self, *, rows: bool = False) -> Iterator[Problem]:
        """Everything that keeps a file, or the folder, from being read; with `rows` its rows are counted through too.

        What is merely odd is logged.
        """
        paths = {entity.name: self.path(entity) for entity in ENTITIES}
        if paths["clients"] is None:
            yield Problem(
                "clients.csv",
                "missing_file",
                "the entity clients is missing. Put clients.csv (or clients.parquet) there, with the columns "
                f"{', '.join(CANONICAL['clients'].required)}.",
            )
        if paths["contracts"] is None and paths["prepaid_events"] is None:
            yield Problem(
                "contracts.csv",
                "missing_file",
                "neither contracts nor prepaid_events is there. Put contracts.csv or prepaid_events.csv (or both) "
                "there: without one of them nobody is known to be a paying client.",
            )
        for entity in ENTITIES:
            if (path := paths[entity.name]) is None:
                continue
            if path.suffix == ".csv" and path.with_suffix(".parquet").is_file():
                yield Problem(
                    path.name,
                    "doubled_file",
                    f"both {path.name} and {entity.name}.parquet are there; keep one of them",
                )
            yield from self._problems_of(entity, path, rows)
        if rows:
            yield from self._empty(paths)
        known = {f"{entity.name}{suffix}" for entity in ENTITIES for suffix in SUFFIXES}
        for path in sorted(self._folder.iterdir()):
            if path.suffix.lower() in {*SUFFIXES, *OTHER_TABLES} and path.name not in known:
                log.warning(
                    "%s was ignored: it is not named <entity>.csv or <entity>.parquet, in small letters, after an "
                    "entity of the contract",
                    path,
                )

    def _problems_of(self, entity: Entity, path: Path, rows: bool) -> Iterator[Problem]:
        try:
            columns = self._columns(path)
        except SourceError as error:
            yield Problem(path.name, "unreadable_file", str(error))
            return
        for name in sorted({name for name in columns if columns.count(name) > 1 and name in entity.columns}):
            yield Problem(
                path.name,
                "doubled_column",
                f"entity {entity.name}: the column {name} is there twice; keep one of them",
                column=name,
            )
        missing = [name for name in entity.columns if name in entity.required and name not in columns]
        in_small_letters = {name.lower(): name for name in columns}
        if not set(in_small_letters) & set(entity.columns):
            # It is not repeated: a first line that is no header holds somebody's name.
            yield Problem(
                path.name,
                "missing_header",
                f"entity {entity.name}: its first line names none of the columns {', '.join(entity.columns)}. Is it a "
                f"header, and are its values separated by commas or semicolons?",
            )
            return
        for name in missing:
            other = in_small_letters.get(name)
            hint = f"write {name} for {other}" if other else f"the header has: {', '.join(columns)}"
            yield Problem(
                path.name,
                "missing_column",
                f"entity {entity.name}: the required column {name} is missing; {hint}",
                column=name,
            )
        if extra := [name for name in columns if name not in entity.columns]:
            log.warning("%s: entity %s: extra columns ignored: %s", path, entity.name, ", ".join(extra))
        if rows and not missing:
            try:
                self._connection.execute(f"select count(columns(*)) from ({self._select(entity, path)})")
            except duckdb.Error as error:
                yield from _explain(entity, path, error)

    def _empty(self, paths: dict[str, Path | None]) -> Iterator[Problem]:
        """Files without which nobody is a client, and which hold a header only."""
        empty = {name for name, path in paths.items() if path and not self._has_rows(path)}
        if "clients" in empty:
            yield Problem("clients.csv", "no_rows", "entity clients: the file has no rows; fill in your clients")
        paying = {name for name in ("contracts", "prepaid_events") if paths[name]}
        if paying and paying <= empty:
            yield Problem(
                f"{min(paying)}.csv",
                "no_rows",
                f"entity {' and '.join(sorted(paying))}: no rows; without one nobody is known to be a paying client",
            )

    def _has_rows(self, path: Path) -> bool:
        try:
            source = (
                self._read_csv(path, layout(path))
                if path.suffix == ".csv"
                else f"read_parquet({literal(path)}, hive_partitioning = false)"
            )
            return bool(self._connection.execute(f"select 1 from {source} limit 1").fetchall())
        except (SourceError, duckdb.Error):
            return True  # why it cannot be read is told elsewhere

    def schema(self, entity: Entity) -> dict[str, str]:
        path = self.path(entity)
        return dict.fromkeys(self._columns(path), "VARCHAR") if path else {}

    def sample(self, entity: Entity, rows: int = 10) -> list[dict[str, Any]]:
        path = self.path(entity)
        if path is None:
            return []
        try:
            answer = self._connection.execute(f"{self._select(entity, path)} limit {rows}")
        except duckdb.Error as error:
            raise self._error(entity, path, error) from None
        names = [column[0] for column in answer.description or []]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def extract(
        self,
        entity: Entity,
        since: datetime | int | None,
        target: Path,
        on_rows: Callable[[int], None],
        until: datetime | int | None = None,
    ) -> datetime | None:
        path = self.path(entity)
        assert path is not None
        try:
            self._connection.execute(
                f"copy ({self._select(entity, path)}) to {literal(target)} (format parquet, compression zstd)"
            )
        except duckdb.Error as error:
            raise self._error(entity, path, error) from None
        return None

    def _error(self, entity: Entity, path: Path, error: duckdb.Error) -> SourceError:
        problems = _explain(entity, path, error)
        more = f"\nand {len(problems) - NAMED_LINES} more rows" if len(problems) > NAMED_LINES else ""
        return SourceError("\n".join(f"{self._folder}/{problem}" for problem in problems[:NAMED_LINES]) + more)

    def keys(self, entity: Entity, target: Path, on_rows: Callable[[int], None]) -> None:
        self.extract(entity, None, target, on_rows)

    def _select(self, entity: Entity, path: Path) -> str:
        if path.suffix == ".parquet":
            source, blank = f"read_parquet({literal(path)}, hive_partitioning = false)", ""
            names = {name: quote(name) for name in self._columns(path)}
        else:
            head = layout(path)
            names = {name: f"c{position}" for position, name in enumerate(head.columns)}
            # A spreadsheet leaves rows of nothing but separators behind.
            source, blank = self._read_csv(path, head), f" where coalesce({', '.join(names.values())}) is not null"
        # An empty text is no value, in Parquet as in CSV.
        columns = ", ".join(
            f"nullif(cast({names[name]} as varchar), '') as {quote(name)}"
            if name in names
            else f"null::varchar as {quote(name)}"
            for name in entity.columns
        )
        return f"select {columns} from {source}{blank}"

    def _read_csv(self, path: Path, head: Layout) -> str:
        # Positions instead of names: a header may hold doubled or empty names among those that are ignored.
        kinds = ", ".join(f"'c{position}': 'VARCHAR'" for position in range(len(head.columns)))
        return (
            f"read_csv({literal(path)}, auto_detect = false, header = true, skip = {head.above}, "
            f"columns = {{{kinds}}}, delim = {literal(head.delimiter)}, quote = '\"', escape = '\"', nullstr = '', "
            f"encoding = 'utf-8')"
        )

    def _columns(self, path: Path) -> list[str]:
        if path.suffix == ".csv":
            return layout(path).columns
        try:
            rows = self._connection.execute(
                f"describe select * from read_parquet({literal(path)}, hive_partitioning = false)"
            ).fetchall()
        except duckdb.Error:
            raise SourceError("this is not a readable Parquet file; write it again or give CSV") from None
        return [row[0] for row in rows]


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


def layout(path: Path) -> Layout:
    """Read the head of a CSV file. Raises SourceError when it is empty or not UTF-8."""
    try:
        # utf-8-sig takes a byte order mark away and does not ask for one.
        with path.open(encoding="utf-8-sig", newline="") as handle:
            above, line = 0, handle.readline()
            # A spreadsheet puts a comment into quotes when it holds what separates values.
            while line and (not line.strip() or line.lstrip('"').startswith(COMMENT)):
                above, line = above + 1, handle.readline()
            delimiter = ";" if line.count(";") > line.count(",") else ","
            header = next(csv.reader([line, *handle] if line.count('"') % 2 else [line], delimiter=delimiter), [])
    except UnicodeDecodeError:
        raise SourceError("the file is not UTF-8; save it as UTF-8 (with or without a byte order mark)") from None
    if not header:
        raise SourceError("the file is empty; its first line must be a header with the column names")
    return Layout(above, delimiter, [name.strip() for name in header])


def numbered_rows(path: Path, head: Layout, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file from its header on, each with its number as a spreadsheet counts; a blank row is [].

    Raises csv.Error at a quote that is not closed, with `strict` also at its end.
    """
    with path.open(encoding="utf-8-sig", newline="") as handle:
        for _ in range(head.above):
            handle.readline()
        yield from enumerate(csv.reader(handle, delimiter=head.delimiter, strict=strict), start=head.above + 1)


def _explain(entity: Entity, path: Path, error: duckdb.Error) -> list[Problem]:
    """Why a file cannot be read: all of its uneven rows or, where there are none, what DuckDB says."""
    found = list(_uneven_rows(entity, path)) if path.suffix == ".csv" else []
    return found or [Problem(path.name, "unreadable_file", f"entity {entity.name}: {_first_line(error)}")]


def _uneven_rows(entity: Entity, path: Path) -> Iterator[Problem]:
    """Every row whose number of values is not the header's, without the row itself: rows hold names of people."""
    head = layout(path)
    number = head.above
    try:
        for number, values in numbered_rows(path, head, strict=True):
            if values and len(values) != len(head.columns):
                yield Problem(
                    path.name,
                    "uneven_row",
                    f"entity {entity.name}: row {number} has {len(values)} values where the header has "
                    f"{len(head.columns)}; quote values that hold {head.delimiter!r} or a line break",
                    row=number,
                )
    except UnicodeDecodeError:
        yield Problem(
            path.name,
            "unreadable_file",
            f"entity {entity.name}: not UTF-8; save the file as UTF-8 (with or without a byte order mark)",
        )
    except csv.Error:
        yield Problem(
            path.name,
            "open_quote",
            f"entity {entity.name}: a quoted value that begins in row {number + 1} is not closed; a quote inside a "
            f'value is doubled ("")',
            row=number + 1,
        )


def _first_line(error: duckdb.Error) -> str:
    """What DuckDB says of a file, without the row itself: rows hold names of people."""
    told = [line for line in str(error).splitlines() if line and not line.startswith(("Original Line", "*", "  "))]
    return " ".join(told)[:300]
