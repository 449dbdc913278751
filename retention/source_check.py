"""`retention check`: tries a configured source system without landing anything, and says in words what it is like."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from retention import schema_drift
from retention.findings import Finding, good, warning, wrong
from retention.settings import Settings
from retention.sources import Entity, Source, SourceError, entities, open_source
from retention.sources.contract import CANONICAL
from retention.sources.entity import without_values
from retention.sources.files import FilesSource
from retention.sources.sql import MappedEntity

# A clock that is further off than this makes days count as complete that are not, or the other way round.
CLOCK_SECONDS = 30
SAMPLE_ROWS = 10


def check_source(settings: Settings, source: str) -> Iterator[Finding]:
    """Connection, rights, clock, then schema and a sample of every entity. Raises nothing that the source says."""
    started = time.monotonic()
    try:
        with open_source(settings, source) as opened, without_values(source):
            theirs = opened.clock()  # some systems are not spoken to before they are asked for something
            yield good(source, f"answers ({time.monotonic() - started:.1f} s)")
            yield from _rights(opened, source)
            yield from _clock(theirs, source)
            if isinstance(opened, FilesSource):
                opened.check()  # of a mapping, the mistakes are told with each entity below
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
        with without_values(entity.label, entity.described_in):
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
    if isinstance(entity, MappedEntity):
        yield from _unknown_codes(entity, rows)


def _unknown_codes(entity: MappedEntity, rows: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Columns with values that are none of the contract's codes, judged as in a build: an optional one may be empty.

    The values are not shown: in a column that was mapped by mistake they may be names, and a name looks like a code.
    """
    contract = CANONICAL[entity.name]
    for column, codes in contract.codes.items():
        known = {*codes, "", None} if column in contract.optional else set(codes)
        if unknown := sum(row.get(column) not in known for row in rows):
            yield wrong(
                f"{entity.label}: {column}",
                f"{unknown} of {_count(rows)} have none of the codes {', '.join(codes)}"
                f"{' (or nothing)' if column in contract.optional else ''}, and would go to quarantine. Translate what "
                f"your system says in the query at {entity.described_in}; a select distinct in the database shows it.",
            )


def _count(rows: Sequence[dict[str, Any]]) -> str:
    return f"{len(rows)} rows sampled" if len(rows) > 1 else "1 row sampled"


def _words(entity: Entity, rows: Sequence[dict[str, Any]]) -> str:
    """What a sample is like, without a value of it: values may be names."""
    empty = [name for name in entity.columns if all(row.get(name) is None for row in rows)]
    seen = f"{_count(rows)}, {len(entity.columns)} columns"
    if not empty:
        return f"{seen}, each with values"
    return f"{seen}; empty in all of these rows: {', '.join(empty)}"
