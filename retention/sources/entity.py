"""What a source says about one of its tables: what is read, how its rows are told apart, how changes are found."""

import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import duckdb

log = logging.getLogger(__name__)


class SourceError(RuntimeError):
    """A source cannot be read as it is now. The message names source, table and column, and says what to do."""


@dataclass(frozen=True)
class Entity:
    """One table of a source system, in the shape in which the source delivers it.

    `columns`: column -> DuckDB type it is expected to have (used as it stands only while nothing has landed).
    `key`: the columns that tell rows apart at the source.
    `cursor`: the column that grows with every change; None = the table is small and read whole each time.
    `overlap`: how far before the last seen cursor each read starts again, because rows are committed late.
    `required`: columns that must be there; the others may be absent and are then NULL.
    `origin`: the name of the table at the source, for messages.
    `definition`: how the rows are read, as text. When it is another one than that of the last load, what has landed was
    read otherwise, and the table is read from its beginning again.
    `is_there`: false for a table that the company does not have; it is empty then, whatever has landed from it before.
    """

    source: str
    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    cursor: str | None = None
    overlap: timedelta | int | None = None
    required: frozenset[str] = field(default_factory=frozenset)
    origin: str = ""
    definition: str = ""
    is_there: bool = True

    @property
    def described_in(self) -> str:
        """Where a person changes what is read of this table, for messages."""
        return f"retention/sources/{self.source}.py and the models in dbt_project/models/staging/{self.source}/"

    @property
    def is_mapped_by_hand(self) -> bool:
        """Whether a person chose the cursor, who can choose another one."""
        return False

    def read_thoroughly(self) -> "Entity":
        """This table without the shortcut, where it has one, by which an ordinary load finds nearly all changes."""
        return self

    @property
    def label(self) -> str:
        return f"{self.source}.{self.origin or self.name}"


@contextmanager
def without_values(label: str, described_in: str = "") -> Iterator[None]:
    """Turn an error that nobody foresaw into a SourceError: one table must not end the work on the other sources.

    What such an error says may quote a row, and a row may hold a name: only its kind is told, and where it arose.
    """
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        log.error("%s failed here:\n%s", label, "".join(traceback.format_list(frames)))
        raise SourceError(
            f"{label}: {type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
            f"{f': {error}' if _is_of_the_machine(error) else ', which may quote a row and is not shown'}. What has "
            f"landed stays, and the next load asks for the same rows; `retention doctor` names files that are damaged."
            f"{f' What is read of this table is described in {described_in}.' if described_in else ''}"
        ) from None


def _is_of_the_machine(error: Exception) -> bool:
    """Whether an error speaks of a disk or of memory. Those of libraries for the network may hold an address."""
    is_of_the_system = isinstance(error, OSError) and type(error).__module__ == "builtins"
    return is_of_the_system or isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException)
