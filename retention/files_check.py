"""`retention check --files`: everything that is wrong with a folder of files, at once, without loading it.

The rows are judged by dbt itself, by the same rules as in a build, in a place of its own that is thrown away.
"""

import csv
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

from retention import build
from retention.duck import connect, quote
from retention.extract import extract_source
from retention.settings import Settings, load_settings
from retention.sources.contract import CANONICAL
from retention.sources.files import SUFFIXES, FilesSource, copy_even_rows, even_rows
from retention.sources.files import connect as open_folder

# Columns that hold names of people and companies: their values are nobody's business in a terminal.
PRIVATE = {"name", "full_name"}
# Rows that are shown of each file, column and rule; the table says how many more there are.
SHOWN = 5
COLUMNS = ("file", "row", "column", "rule", "value")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. `row` as a spreadsheet counts them (the header is row 1); None = the whole file."""

    file: str
    row: int | None
    column: str
    rule: str
    value: str

    @property
    def kind(self) -> tuple[str, str, str]:
        return self.file, self.column, self.rule


def find_faults(settings: Settings) -> list[Fault]:
    """Everything that is wrong with the folder `files_dir`, files first in the order of the contract, then rows.

    Raises SourceError when there is no such folder.
    """
    assert settings.files_dir is not None
    with open_folder(settings, "files") as source:
        problems = list(source.problems(rows=True))
        faults = [Fault(problem.file, problem.row, problem.column, problem.rule, problem.text) for problem in problems]
        # A row that is uneven is left out, and the rest of its file is judged.
        broken = {problem.file for problem in problems if problem.rule not in ("no_rows", "uneven_row")}
        with tempfile.TemporaryDirectory(prefix="retention-check-") as place:
            try:
                build.seed_files(settings)
                seeds = settings.files_dir / "seeds"
            except build.BuildError as error:
                faults.append(Fault("seeds", None, "", "unusable_seed", str(error)))
                seeds = None  # the rows are judged with the project's own
            faults += _judge(settings, source, broken, Path(place), seeds)
    order = {f"{name}{suffix}": position for position, name in enumerate(CANONICAL) for suffix in SUFFIXES}
    return sorted(faults, key=lambda fault: (order.get(fault.file, -1), fault.row or 0, fault.column, fault.rule))


def _judge(settings: Settings, source: FilesSource, broken: set[str], place: Path, seeds: Path | None) -> list[Fault]:
    """The rows of all files that can be read, judged by dbt in `place`."""
    folder = place / "files"
    folder.mkdir()
    readable = {name: path for name in CANONICAL if (path := _path(settings, name)) and path.name not in broken}
    for name in {*readable, "clients", "contracts"}:
        if name in readable:
            _take_over(readable[name], folder / readable[name].name)
        else:
            # What cannot be read has been told already; an empty file in its place lets the others be judged.
            (folder / f"{name}.csv").write_text(",".join(CANONICAL[name].columns) + "\n", encoding="utf-8")
    if seeds and seeds.is_dir():
        (folder / "seeds").symlink_to(seeds.absolute())
    trial = load_settings(
        place / "home",
        sources=["files"],
        files_dir=folder,
        as_of=settings.as_of,
        vars=settings.vars,
        company_timezone=settings.company_timezone,
    )
    extract_source(trial, "files", lambda text: None)
    build.prepare(trial)
    build.run_dbt(trial, "check")
    return [fault for name, path in readable.items() for fault in _faults_of(trial, name, path)]


def _path(settings: Settings, entity: str) -> Path | None:
    assert settings.files_dir is not None
    found = (settings.files_dir / f"{entity}{suffix}" for suffix in SUFFIXES)
    return next((path for path in found if path.is_file()), None)


def _faults_of(trial: Settings, entity: str, path: Path) -> Iterator[Fault]:
    with connect(trial.extensions, trial.build_file, read_only=True) as connection:
        rows = connection.execute(
            f"select row_number, unnest(faults), row_json from quarantine.{quote(entity)} order by row_number"
        ).fetchall()
    places = _places(path) if rows else []
    for number, fault, row_json in rows:
        column, rule = fault.split(" ")
        value = json.loads(row_json).get(column)
        hidden = column in PRIVATE and value is not None
        row = places[number - 1] if places else number
        yield Fault(path.name, row, column, rule, "(a name)" if hidden else (value or ""))


def _take_over(path: Path, copy: Path) -> None:
    """Put a file, as far as its rows have a value for each column of its header, in another place."""
    if path.suffix != ".csv":
        copy.symlink_to(path.absolute())
        return
    copy_even_rows(path, copy)


def _places(path: Path) -> list[int]:
    """Where the rows that are judged stand in a CSV file: below its header, without those that are uneven or empty."""
    if path.suffix != ".csv":
        return []
    _, *below = (row for row, _ in even_rows(path))
    return below


def show(faults: Iterable[Fault], folder: Path) -> None:
    """Print a table with the first rows of every kind of fault, and how many there are in all."""
    every = list(faults)
    table = Table(title=f"What is wrong in {folder}", title_justify="left", header_style="bold")
    for column in COLUMNS:
        table.add_column(column, overflow="fold", justify="right" if column == "row" else "left")
    kinds = 0
    for kind, group in groupby(sorted(every, key=_by_kind), key=lambda fault: fault.kind):
        alike, kinds = list(group), kinds + 1
        for fault in alike[:SHOWN]:
            table.add_row(*(text.replace("[", r"\[") for text in _texts(fault)))
        if len(alike) > SHOWN:
            table.add_row(kind[0], "…", kind[1], kind[2], f"and {len(alike) - SHOWN:,} rows more")
    Console().print(table)
    files = len({fault.file for fault in every})
    Console().print(f"Faults: {len(every):,}, of {kinds} kinds, in {files} files. --output FILE.csv writes them all.")


def write(faults: Iterable[Fault], target: Path) -> None:
    """Write every fault into a CSV file with the columns of the table."""
    with target.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(COLUMNS)
        writer.writerows(_texts(fault) for fault in faults)


def _texts(fault: Fault) -> tuple[str, str, str, str, str]:
    return fault.file, "" if fault.row is None else str(fault.row), fault.column, fault.rule, fault.value


def _by_kind(fault: Fault) -> tuple[str, str, str, int]:
    return (*fault.kind, fault.row or 0)
