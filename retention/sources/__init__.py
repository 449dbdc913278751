"""The source systems. One module per system, all behind the interface `Source`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from retention.settings import CONNECTORS, Settings
from retention.sources.entity import Entity, SourceError

__all__ = ["Entity", "Source", "SourceError", "dbt_vars", "entities", "open_source"]

Since = datetime | int | None


class Source(Protocol):
    """An open connection to a source system.

    Each module of a system in this package has `entities(settings, source)` and `connect(settings, source)`, and may
    have `dbt_vars(settings)`: what the staging models need to know of the system's configuration.
    """

    def stamp(self, moment: datetime) -> datetime:
        """An instant as this system writes its timestamps (naive when the system's are)."""
        ...

    def clock(self) -> datetime | None:
        """What the system's own clock shows, with a zone; None where it cannot be asked."""
        ...

    def may_write(self) -> str:
        """What the account could change at the system, in words; empty when nothing, as it should be."""
        ...

    def check(self) -> None:
        """Called before anything is read: look at what a person wrote for this project (a mapping, a folder of files).

        Raises SourceError with everything that is wrong.
        """
        ...

    def schema(self, entity: Entity) -> dict[str, str]:
        """Column -> type of everything the system offers for this entity, read or not."""
        ...

    def sample(self, entity: Entity, rows: int = 10) -> list[dict[str, Any]]:
        """A few rows as they would land, in no particular order."""
        ...

    def extract(
        self, entity: Entity, since: Since, target: Path, on_rows: Callable[[int], None], until: Since = None
    ) -> datetime | None:
        """Write the rows with since <= cursor < until (None = without that bound) to the Parquet file `target`.

        Returns since when changes may be missing from it, where that is earlier than the call: a source may go on with
        a read that was cut off.

        `on_rows` is told the number of rows so far where the system hands them over bit by bit.
        """
        ...

    def keys(self, entity: Entity, target: Path, on_rows: Callable[[int], None]) -> None:
        """Write the key columns and the cursor of every row that exists now to the Parquet file `target`."""
        ...


def entities(settings: Settings, source: str) -> Sequence[Entity]:
    """The tables that are read from a source. Needs no connection."""
    return _module(source).entities(settings, source)


def dbt_vars(settings: Settings) -> dict[str, Any]:
    """The vars that the enabled sources hand to dbt, from their mapping files."""
    given: dict[str, Any] = {
        "sql_sources": {
            source: [entity.name for entity in entities(settings, source)]
            for source in settings.sources
            if source not in CONNECTORS
        }
    }
    for source in settings.sources:
        given |= getattr(_module(source), "dbt_vars", lambda _: {})(settings)
    return given


@contextmanager
def open_source(settings: Settings, source: str) -> Iterator[Source]:
    """Connect to a source system and disconnect at the end.

    Raises SourceError when it is not configured or does not answer; no message ever holds a password or a token.
    """
    with _module(source).connect(settings, source) as opened:
        yield opened


def _module(source: str):
    # Imported when needed: what only lists DAGs or builds the warehouse should not wait for client libraries.
    return import_module(f"retention.sources.{source if source in CONNECTORS else 'sql'}")
