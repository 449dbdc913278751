"""A folder of canonical CSV or Parquet files, one per entity of the contract.

The folder is the whole truth each time: a changed file is landed whole, keys that are no longer in it get tombstones,
and so does everything of a file that was taken away. Values land as text, as they are written; what a spreadsheet's
`31.12.2024` and `1 234,50` mean is read by dbt.
"""

import csv
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
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


class UnreadableRows(SourceError):
    """A file whose rows cannot be read: all of its `problems`; the text names the first."""

    def __init__(self, folder: Path, problems: list[Problem]) -> None:
        self.problems = problems
        more = f"\nand {len(problems) - NAMED_LINES} more rows" if len(problems) > NAMED_LINES else ""
        super().__init__("\n".join(f"{folder}/{problem}" for problem in problems[:NAMED_LINES]) + more)


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
                self._read(entity, path, lambda rows: f"select count(columns(*)) from ({rows})")
            except UnreadableRows as error:
                yield from error.problems

    def _empty(self, paths: dict[str, Path | None]) -> Iterator[Problem]:
        """Files without which nobody is a client, and which hold a header only."""
        there = [(entity, path) for entity in ENTITIES if (path := paths[entity.name])]
        empty = {entity.name for entity, path in there if not self._has_rows(entity, path)}
        if "clients" in empty:
            yield Problem("clients.csv", "no_rows", "entity clients: the file has no rows; fill in your clients")
        paying = {name for name in ("contracts", "prepaid_events") if paths[name]}
        if paying and paying <= empty:
            yield Problem(
                f"{min(paying)}.csv",
                "no_rows",
                f"entity {' and '.join(sorted(paying))}: no rows; without one nobody is known to be a paying client",
            )

    def _has_rows(self, entity: Entity, path: Path) -> bool:
        try:
            return bool(self._read(entity, path, lambda rows: f"select 1 from ({rows}) limit 1"))
        except SourceError:
            return True  # why it cannot be read is told elsewhere

    def schema(self, entity: Entity) -> dict[str, str]:
        path = self.path(entity)
        return dict.fromkeys(self._columns(path), "VARCHAR") if path else {}

    def sample(self, entity: Entity, rows: int = 10) -> list[dict[str, Any]]:
        path = self.path(entity)
        if path is None:
            return []
        answer = self._read(entity, path, lambda query: f"{query} limit {rows}")
        return [dict(zip(entity.columns, row, strict=True)) for row in answer]

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
        copy_to = f"to {literal(target)} (format parquet, compression zstd)"
        self._read(entity, path, lambda rows: f"copy ({rows}) {copy_to}")
        return None

    def keys(self, entity: Entity, target: Path, on_rows: Callable[[int], None]) -> None:
        self.extract(entity, None, target, on_rows)

    def _read(self, entity: Entity, path: Path, statement: Callable[[str], str]) -> list[Any]:
        """The answer to a statement about the rows of a file, which is given their query. Raises UnreadableRows."""
        if path.suffix == ".parquet":
            return self._answer(entity, path, statement)
        # Of a file that mixes line ends DuckDB may read no row at all, and say nothing.
        if not _mixes_line_ends(path):
            with suppress(UnreadableRows):
                return self._answer(entity, path, statement)
        if problems := list(_uneven_rows(entity, path)):
            raise UnreadableRows(self._folder, problems)
        with TemporaryDirectory(prefix="retention-files-") as place:
            copy = Path(place) / path.name
            copy_even_rows(path, copy)
            return self._answer(entity, copy, statement)

    def _answer(self, entity: Entity, path: Path, statement: Callable[[str], str]) -> list[Any]:
        try:
            return self._connection.execute(statement(self._select(entity, path))).fetchall()
        except duckdb.Error as error:
            problem = Problem(path.name, "unreadable_file", f"entity {entity.name}: {_first_line(error)}")
            raise UnreadableRows(self._folder, [problem]) from None

    def _select(self, entity: Entity, path: Path) -> str:
        if path.suffix == ".parquet":
            source, blank = _read_parquet(path), ""
            names = {name: _as_text(name, kind) for name, kind in self._parquet_columns(path)}
        else:
            head = layout(path)
            names = {name: f"c{position}" for position, name in enumerate(head.columns)}
            # A spreadsheet leaves rows of nothing but separators behind.
            source, blank = _read_csv(path, head), f" where coalesce({', '.join(names.values())}) is not null"
        # An empty text is no value, in Parquet as in CSV.
        columns = ", ".join(
            f"nullif({names[name]}, '') as {quote(name)}" if name in names else f"null::varchar as {quote(name)}"
            for name in entity.columns
        )
        return f"select {columns} from {source}{blank}"

    def _columns(self, path: Path) -> list[str]:
        if path.suffix == ".csv":
            return layout(path).columns
        return [name for name, _ in self._parquet_columns(path)]

    def _parquet_columns(self, path: Path) -> list[tuple[str, str]]:
        """Names and types."""
        try:
            rows = self._connection.execute(f"describe select * from {_read_parquet(path)}").fetchall()
        except duckdb.Error:
            raise SourceError("this is not a readable Parquet file; write it again or give CSV") from None
        return [(row[0], row[1]) for row in rows]


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

    Empty values beyond the header are left out, as DuckDB does.
    Raises csv.Error at a quote that is not closed, with `strict` also at its end.
    """
    with path.open(encoding="utf-8-sig", newline="") as handle:
        for _ in range(head.above):
            handle.readline()
        width = len(head.columns)
        rows = csv.reader(handle, delimiter=head.delimiter, strict=strict)
        for number, values in enumerate(rows, start=head.above + 1):
            yield number, values if any(values[width:]) else values[:width]


def even_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file that have a value for each column, its header first, with their numbers."""
    head = layout(path)
    rows = numbered_rows(path, head)
    return ((row, values) for row, values in rows if any(values) and len(values) == len(head.columns))


def copy_even_rows(path: Path, copy: Path) -> None:
    """Write a CSV file anew, with line ends of one kind and without rows that are empty or uneven."""
    with copy.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, delimiter=layout(path).delimiter).writerows(values for _, values in even_rows(path))


def _mixes_line_ends(path: Path) -> bool:
    with path.open(encoding="latin-1") as handle:  # line ends are the same bytes in UTF-8
        while handle.read(1 << 20):
            pass
        return isinstance(handle.newlines, tuple)


def _read_csv(path: Path, head: Layout) -> str:
    # Positions instead of names: a header may hold doubled or empty names among those that are ignored.
    kinds = ", ".join(f"'c{position}': 'VARCHAR'" for position in range(len(head.columns)))
    return (
        f"read_csv({literal(path)}, auto_detect = false, header = true, skip = {head.above}, "
        f"columns = {{{kinds}}}, delim = {literal(head.delimiter)}, quote = '\"', escape = '\"', nullstr = '', "
        f"encoding = 'utf-8')"
    )


def _read_parquet(path: Path) -> str:
    # Not every writer marks its texts as texts.
    return f"read_parquet({literal(path)}, hive_partitioning = false, binary_as_string = true)"


def _as_text(name: str, kind: str) -> str:
    """A Parquet column as text. Whole numbers with gaps are floats to pandas: the key 17.0 is 17."""
    text = f"cast({quote(name)} as varchar)"
    return f"regexp_replace({text}, '[.]0+$', '')" if kind.startswith(("DOUBLE", "FLOAT", "DECIMAL")) else text


def _uneven_rows(entity: Entity, path: Path) -> Iterator[Problem]:
    """Every row whose number of values is not the header's, without the row itself: rows hold names of people."""
    head = layout(path)
    number = head.above
    try:
        for number, values in numbered_rows(path, head, strict=True):
            if any(values) and len(values) != len(head.columns):
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
    if "not valid UTF8" in str(error):
        return "a text is not UTF-8; write the file again with its texts in UTF-8"
    told = [line for line in str(error).splitlines() if line and not line.startswith(("Original Line", "*", "  "))]
    return " ".join(told)[:300]
