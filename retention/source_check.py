"""`retention check`: tries a configured source system without landing anything, and says in words what it is like."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from retention import schema_drift
from retention.findings import Finding, good, warning, wrong
from retention.settings import Settings
from retention.sources import Entity, Source, SourceError, entities, open_source
from retention.sources.files import FilesSource

# A clock that is further off than this makes days count as complete that are not, or the other way round.
CLOCK_SECONDS = 30
SAMPLE_ROWS = 10


def check_source(settings: Settings, source: str) -> Iterator[Finding]:
    """Connection, rights, clock, then schema and a sample of every entity. Raises nothing that the source says."""
    started = time.monotonic()
    try:
        with open_source(settings, source) as opened:
            theirs = opened.clock()  # some systems are not spoken to before they are asked for something
            yield good(source, f"answers ({time.monotonic() - started:.1f} s)")
            yield from _rights(opened, source)
            yield from _clock(theirs, source)
            if isinstance(opened, FilesSource):
                opened.check()
            for entity in entities(settings, source):
                is_absent = isinstance(opened, FilesSource) and opened.path(entity) is None
                if is_absent or not entity.is_there:
                    continue  # most files, and parts of a mapping, may be left out
                yield from _entity(settings, opened, entity)
    except (SourceError, ValueError) as error:
        yield wrong(source, str(error).removeprefix(f"{source}: "))


def _rights(opened: Source, source: str) -> Iterator[Finding]:
    allowed = opened.may_write()
    if allowed:
        yield warning(
            f"{source}: rights", f"the account could change the source: {allowed}. Give it one that may only read."
        )
    else:
        yield good(f"{source}: rights", "the account may only read")


def _clock(theirs: datetime | None, source: str) -> Iterator[Finding]:
    if theirs is None:
        return
    behind = (datetime.now(UTC) - theirs).total_seconds()
    words = f"{abs(behind):.0f} s {'behind' if behind > 0 else 'ahead of'} this machine's"
    if abs(behind) > CLOCK_SECONDS:
        yield warning(
            f"{source}: clock",
            f"its clock is {words}. Set both by a time server (NTP): a day counts as complete when both have "
            f"finished it, and changes are found by these times.",
        )
    else:
        yield good(f"{source}: clock", f"its clock is {words}")


def _entity(settings: Settings, opened: Source, entity: Entity) -> Iterator[Finding]:
    try:
        schema = opened.schema(entity)
        schema_drift.check_schema(settings, entity, schema)
        rows = opened.sample(entity, SAMPLE_ROWS)
    except SourceError as error:
        yield wrong(entity.label, str(error).removeprefix(f"{entity.label}: "))
        return
    if not rows:
        yield warning(entity.label, "every column is there, but no row: is the account allowed to see them?")
        return
    yield good(entity.label, _words(entity, rows))


def _words(entity: Entity, rows: Sequence[dict[str, Any]]) -> str:
    """What a sample is like, without a value of it: values may be names."""
    empty = [name for name in entity.columns if all(row.get(name) is None for row in rows)]
    count = f"{len(rows)} rows sampled" if len(rows) > 1 else "1 row sampled"
    seen = f"{count}, {len(entity.columns)} columns"
    if not empty:
        return f"{seen}, each with values"
    return f"{seen}; empty in all of these rows: {', '.join(empty)}"
