"""Rates of exchange and prices per month, as metrics.md converts them: at the rate of the day, rounded once.

The rates are the project's own seed, because that is what the demo's warehouse converts with.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections import defaultdict
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

from demo.model import day_number

SEEDS = Path(__file__).resolve().parents[1] / "dbt_project" / "seeds"
RATES_FILE = SEEDS / "exchange_rates.csv"
MONTHS_PER_PERIOD = {"week": (52, 12), "month": (1, 1), "quarter": (1, 3), "year": (1, 12)}
MICRO = 1_000_000


@cache
def _rates() -> dict[str, tuple[list[int], list[int]]]:
    """By currency: the days from which a rate holds, and the rates in millionths."""
    rows: dict[str, list[tuple[int, int]]] = defaultdict(list)
    with RATES_FILE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rate = int(Decimal(row["rate"]) * MICRO)
            rows[row["currency"]].append((day_number(date.fromisoformat(row["valid_from"])), rate))
    return {currency: tuple(map(list, zip(*sorted(dated), strict=True))) for currency, dated in rows.items()}


def rate_on(currency: str, when: int) -> int:
    """Roubles for one unit on a day, in millionths; before the first known rate that one holds."""
    if currency == "RUB":
        return MICRO
    days, rates = _rates()[currency]
    return rates[max(bisect_right(days, when) - 1, 0)]


def per_month(price: int, currency: str, period: str, when: int) -> int:
    """A price in hundredths of its currency as kopecks per month at the rate of a day, rounded half away from zero."""
    times, over = MONTHS_PER_PERIOD[period]
    times, over = times * rate_on(currency, when), over * MICRO
    return (2 * price * times + over) // (2 * over)
