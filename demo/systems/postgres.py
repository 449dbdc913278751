"""Fills and refreshes a source database so that it shows what is visible at an instant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from demo.model import Fact

Row = tuple[Any, ...]
BEGINNING = -(10**12)


@dataclass(frozen=True)
class Table:
    """A table of a source system; `rows` gives, for a span of time, (key, row or None when it is gone).

    `key` are the columns that identify a row; rows carry all `columns`, the key columns first.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: Callable[[int, int], Iterable[tuple[Row, Row | None]]]


def touched(facts: Iterable[Fact], since: int, until: int) -> Iterator[Fact]:
    """The facts that changed in [since, until): appeared, got another version, or vanished."""
    for fact in facts:
        gone_at = fact.vanishes_at
        if any(since <= visible_at < until for visible_at, _ in fact.versions) or (
            gone_at is not None and since <= gone_at < until
        ):
            yield fact


def fill(url: str, schema: Path, tables: list[Table], since: int, until: int, tell: Callable[[str], None]) -> None:
    """Bring a database from what it showed at `since` (BEGINNING: nothing) to `until`, in one transaction.

    Repeating it changes nothing. Raises psycopg.Error when the database cannot be reached or written.
    """
    with psycopg.connect(url) as connection:
        if since == BEGINNING:
            connection.execute(schema.read_text(encoding="utf-8"))
        for table in tables:
            written, gone = _fill_table(connection, table, since, until)
            if written or gone:
                tell(f"{table.name}: {written} rows written{f', {gone} deleted' if gone else ''}")


def _fill_table(connection: psycopg.Connection[Any], table: Table, since: int, until: int) -> tuple[int, int]:
    names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    keys = sql.SQL(", ").join(map(sql.Identifier, table.key))
    target, changes = sql.Identifier(table.name), sql.Identifier(f"changes_{table.name}")
    if since == BEGINNING:
        connection.execute(sql.SQL("truncate {}").format(target))
        with connection.cursor().copy(sql.SQL("copy {} ({}) from stdin").format(target, names)) as copy:
            written = 0
            for _, row in table.rows(since, until):
                if row is not None:
                    copy.write_row(row)
                    written += 1
        return written, 0
    changed = list(table.rows(since, until))
    if not changed:
        return 0, 0
    create = "create temporary table {} on commit drop as select {}, false as is_gone from {} limit 0"
    connection.execute(sql.SQL(create).format(changes, keys, target))
    with connection.cursor().copy(sql.SQL("copy {} from stdin").format(changes)) as copy:
        for key, row in changed:
            copy.write_row((*key, row is None))
    delete = sql.SQL("delete from {} where ({}) in (select {} from {} where is_gone = %s)")
    delete = delete.format(target, keys, keys, changes)
    gone = connection.execute(delete, (True,)).rowcount
    connection.execute(delete, (False,))
    written = 0
    with connection.cursor().copy(sql.SQL("copy {} ({}) from stdin").format(target, names)) as copy:
        for _, row in changed:
            if row is not None:
                copy.write_row(row)
                written += 1
    return written, gone
