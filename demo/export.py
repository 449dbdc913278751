"""The demo company as a folder of canonical CSV files: what the `files` source reads.

Written straight from the plan, not through the connectors, so that the two ways can be compared.
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

from demo.model import (
    COLUMNS,
    DAY_COLUMNS,
    INSTANT_COLUMNS,
    MONEY_COLUMNS,
    day_number,
    midnight,
    plain,
    to_date,
    to_datetime,
)
from demo.plan import Plan
from demo.service import is_canonical


def write(plan: Plan, as_of: date, folder: Path) -> dict[str, int]:
    """Write one CSV per entity with what is visible at `as_of`; returns the rows written by entity."""
    folder.mkdir(parents=True, exist_ok=True)
    instant = midnight(day_number(as_of))
    rows = {}
    # Feedback is of the tickets' domain in the contract, but the demo's cabinet knows clients by their billing number.
    cards = {
        seen[1][1]: seen[1][2].key
        for link in plan.book.facts["client_links"]
        if (seen := link.seen_at(instant)) is not None and seen[1][0] == "billing"
    }
    for entity, columns in COLUMNS.items():
        unfinished = folder / f"{entity}.csv.unfinished"
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow((*columns, "updated_at"))
            rows[entity] = 0
            for fact in plan.book.facts[entity]:
                seen = fact.seen_at(instant)
                if seen is None or not is_canonical(fact):
                    continue
                values = plain(fact, seen[1])
                if entity == "feedback":
                    values = (values[0], cards.get(values[1], values[1]), *values[2:])
                texts = (text(column, value) for column, value in zip(columns, values, strict=True))
                writer.writerow((*texts, text("updated_at", seen[0])))
                rows[entity] += 1
        unfinished.replace(folder / f"{entity}.csv")
    return rows


def text(column: str, value: Any) -> str:
    """A value as canonical CSV writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if column in MONEY_COLUMNS:
        return rubles(value)
    if column in DAY_COLUMNS:
        return to_date(value).isoformat()
    if column in INSTANT_COLUMNS or column == "updated_at":
        return to_datetime(value).isoformat()
    return str(value)


def rubles(kopecks: int) -> str:
    """Kopecks as a decimal with two places."""
    sign = "-" if kopecks < 0 else ""
    return f"{sign}{abs(kopecks) // 100}.{abs(kopecks) % 100:02d}"
