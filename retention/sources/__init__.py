"""The source systems. One module per system, all behind the interface `Source`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Protocol

from retention.settings import Settings
from retention.sources.entity import Entity, SourceError

__all__ = ["Entity", "Source", "SourceError", "entities", "open_source"]

Since = datetime | int | None


class Source(Protocol):
    """An open connection to a source system. Each module in this package has `ENTITIES` and `connect(settings)`."""

    def now(self) -> datetime:
        """The present instant as this system writes its timestamps (naive when the system's are)."""
        ...

    def schema(self, entity: Entity) -> dict[str, str]:
        """Column -> type of everything the system offers for this entity, read or not."""
        ...

    def extract(self, entity: Entity, since: Since, target: Path, on_rows: Callable[[int], None]) -> None:
        """Write the rows whose cursor is at least `since` (None = all) to the Parquet file `target`.

        `on_rows` is told the number of rows so far where the system hands them over bit by bit.
        """
        ...

    def keys(self, entity: Entity, target: Path, on_rows: Callable[[int], None]) -> None:
        """Write the key columns and the cursor of every row that exists now to the Parquet file `target`."""
        ...


def entities(source: str) -> Sequence[Entity]:
    """The tables that are read from a source. Needs no connection."""
    return _module(source).ENTITIES


@contextmanager
def open_source(settings: Settings, source: str) -> Iterator[Source]:
    """Connect to a source system and disconnect at the end.

    Raises SourceError when it is not configured or does not answer; no message ever holds a password or a token.
    """
    with _module(source).connect(settings) as opened:
        yield opened


def _module(source: str):
    # Imported when needed: what only lists DAGs or builds the warehouse should not wait for client libraries.
    return import_module(f"retention.sources.{source}")
