"""Comparing published marts with the reference, row by row, with differences that a person can read."""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tests.reference.marts import MARTS
from tests.reference.reading import Row

TOLERANCE = 1e-9
SHOWN = 10


def plain(value: Any) -> Any:
    """A value in a form that compares across both sides: instants as microseconds, numbers without trailing zeros."""
    if isinstance(value, datetime):
        return round(value.timestamp() * 1_000_000)
    if isinstance(value, Decimal):
        return value.normalize() + 0
    return value


def same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) or isinstance(other, float):
        return abs(float(one) - float(other)) <= TOLERANCE
    return type(one) is type(other) and one == other if isinstance(one, str) else one == other


def fetch(connection: duckdb.DuckDBPyConnection, relation: str, columns: list[str]) -> list[Row]:
    """Rows of a relation with the given columns; instants come as microseconds."""
    types = {row[0]: row[1] for row in connection.execute(f"describe {relation}").fetchall()}
    missing = [column for column in columns if column not in types]
    if missing:
        raise AssertionError(f"{relation} lacks the columns {', '.join(missing)}; it has {', '.join(types)}")
    picked = ", ".join(
        f'epoch_us("{column}") as "{column}"' if types[column].startswith("TIMESTAMP") else f'"{column}"'
        for column in columns
    )
    rows = connection.execute(f"select {picked} from {relation}").fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows]


def differences(name: str, key: tuple[str, ...], expected: list[Row], found: list[Row]) -> list[str]:
    """One sentence per difference: rows missing, rows too many, rows twice, and unequal values."""
    lines = []
    counts = Counter(tuple(plain(row[column]) for column in key) for row in found)
    lines += [f"{name} {grain}: {count} rows of one grain" for grain, count in counts.items() if count > 1]
    ours = {tuple(plain(row[column]) for column in key): row for row in expected}
    theirs = {tuple(plain(row[column]) for column in key): row for row in found}
    assert len(ours) == len(expected), f"the reference repeats a grain of {name}"
    order = sorted(ours.keys() | theirs.keys(), key=str)
    for grain in order:
        label = f"{name} " + ", ".join(f"{column}={value}" for column, value in zip(key, grain, strict=True))
        if grain not in theirs:
            lines.append(f"{label}: only in the reference: {readable(ours[grain])}")
        elif grain not in ours:
            lines.append(f"{label}: only in the product: {readable(theirs[grain])}")
        else:
            unequal = [
                f"{column}: reference {ours[grain][column]!s}, product {theirs[grain][column]!s}"
                for column in ours[grain]
                if not same(plain(ours[grain][column]), plain(theirs[grain][column]))
            ]
            if unequal:
                lines.append(f"{label}: " + "; ".join(unequal))
    return lines


def readable(row: Row) -> str:
    return ", ".join(f"{column}={value}" for column, value in row.items() if value is not None)


def compare_marts(database: Path, expected: dict[str, list[Row]], columns: dict[str, list[str]]) -> list[str]:
    """Differences of every mart; at most SHOWN lines of each, with the number of all."""
    report = []
    with duckdb.connect(str(database), read_only=True) as connection:
        for name, (_, key) in MARTS.items():
            found = fetch(connection, f"marts.{name}", columns[name])
            lines = differences(name, key, expected[name], found)
            report += lines[:SHOWN]
            if len(lines) > SHOWN:
                report.append(f"{name}: {len(lines)} differences in all, of {len(expected[name])} rows")
    return report


def compare_quarantine(build_file: Path, expected: dict[str, list[Row]], entities: list[str]) -> list[str]:
    """Differences of the quarantine, by entity and rule."""
    found: list[Row] = []
    with duckdb.connect(str(build_file), read_only=True) as connection:
        for entity in entities:
            counts = connection.execute(f"select rule, count(*) from quarantine.{entity} group by rule").fetchall()
            found += [{"entity": entity, "rule": rule, "rows": count} for rule, count in counts]
    return differences("quarantine", ("entity", "rule"), expected["quarantine"], found)
