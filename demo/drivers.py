"""What the planted drivers come to on the metric's own scale.

A multiplier of the hazard is not what `churn_drivers` measures: that is the relative risk of leaving in [T, T + 90) by
what happened in [T - 90, T). An experience from the first day of that window has lost its weight before the second
begins, a prepaid client is lost three months after it decided, and those who are met by one trouble are not like the
rest. So the truth is counted: over a company (`count`), and, to learn what sampling a company leaves open, over many
drawn with other seeds (`python -m demo.drivers`, which writes driver_truth.yml).
"""

from __future__ import annotations

import csv
import gc
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import typer
import yaml

from demo import plan as plans
from demo.model import DEFAULT_AS_OF, DEFAULT_CLIENTS, FIRST_DAY, day_number, midnight, to_date
from demo.money import SEEDS
from demo.seen import SeenClient, see
from demo.worktime import seconds_between

WINDOW = 90
YEAR = 365
ONE_WORKING_DAY = 540 * 60
LOST = ("released", "lapsed", "payment_failure")
Z = 1.959963984540054
TRUTH_FILE = Path(__file__).with_name("driver_truth.yml")
FIRST_SEED, PROBE_CLIENTS = 1, 100


def _of(what: str, days: int = WINDOW) -> Callable[[SeenClient, int], int]:
    return lambda client, when: client.count(what, when - days, when)


def _unanswered(client: SeenClient, when: int) -> int:
    since, until = midnight(when - WINDOW), midnight(when)
    return sum(
        since <= question.sent_at < until
        and (question.answered_at is None or question.answered_at >= until)
        and seconds_between(question.sent_at, until) > ONE_WORKING_DAY
        for question in client.asked
    )


SIGNALS: dict[str, Callable[[SeenClient, int], int]] = {
    "unanswered_messages": _unanswered,
    "manager_changes": _of("manager_change", YEAR),
    "price_rise": lambda client, when: int(client.count("price_rise", when - WINDOW, when) > 0),
    "promise_changes": _of("promise_change"),
    "refund_refused": _of("refund_refused"),
    "complaints": _of("complaint"),
    "failed_payments": _of("failed_payment"),
    "fee_lines": _of("fee"),
    "invoice_disputes": _of("dispute"),
    "reopened": _of("reopened"),
    "upsell_contacts": _of("outbound upsell"),
}
NULL_SIGNALS = ("fee_lines", "invoice_disputes", "reopened", "upsell_contacts")


def levels() -> dict[str, list[tuple[float, str]]]:
    """By signal: lower bound and level, lowest first, as in the project's seed; the lowest is the reference."""
    found: dict[str, list[tuple[float, str]]] = {}
    with (SEEDS / "driver_levels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["signal"] in SIGNALS:
                found.setdefault(row["signal"], []).append((float(row["lower_bound"]), row["level"]))
    return {signal: sorted(bounds) for signal, bounds in found.items()}


def quarters(today: int) -> list[int]:
    """The first day of every quarter whose window lies in history and whose outcome is known."""
    firsts = (
        day_number(date(year, month, 1)) for year in range(2022, to_date(today).year + 1) for month in (1, 4, 7, 10)
    )
    return [first for first in firsts if first >= FIRST_DAY + WINDOW and first + WINDOW <= today]


def count(clients: list[SeenClient], today: int) -> list[dict[str, Any]]:
    """Exposures and leavers of each signal and level, as `churn_drivers` has them."""
    bounds = levels()
    cells: dict[tuple[str, str], Counter[str]] = {
        (signal, level): Counter() for signal, steps in bounds.items() for _, level in steps
    }
    dates = quarters(today)
    for client in clients:
        # Only messages that waited for long can count, and few did.
        client.asked = [
            question
            for question in client.asked
            if question.answered_at is None or question.answered_at - question.sent_at > ONE_WORKING_DAY
        ]
        for when in dates:
            spell = client.spell_on(when - 1)
            if spell is None:
                continue
            is_over = spell.ended_on is not None and spell.ended_on < when + WINDOW
            if is_over and spell.exit_type not in LOST:
                continue
            for signal, value_of in SIGNALS.items():
                steps = bounds[signal]
                level = steps[bisect_right([low for low, _ in steps], value_of(client, when)) - 1][1]
                cells[signal, level].update(exposures=1, churned=int(is_over))
    return [
        {"signal": signal, "level": level, "exposures": cell["exposures"], "churned": cell["churned"]}
        for (signal, level), cell in cells.items()
    ]


def relative_risk(lost: int, all_: int, lost_of_reference: int, all_of_reference: int) -> tuple[float, float]:
    """Relative risk, and the standard error of its logarithm (Katz)."""
    error = sqrt(1 / lost - 1 / all_ + 1 / lost_of_reference - 1 / all_of_reference)
    return (lost / all_) / (lost_of_reference / all_of_reference), error


def _one_company(seed: int, clients: int) -> list[dict[str, Any]]:
    gc.collect()
    with plans.undisturbed():
        return count(see(plans.build(seed, clients), DEFAULT_AS_OF), DEFAULT_AS_OF)


def probe() -> dict[str, str]:
    """Leavers and exposures of a small company: a generator that gives others has other truths as well."""
    rows = _one_company(FIRST_SEED, PROBE_CLIENTS)
    return {f"{row['signal']} {row['level']}": f"{row['churned']} of {row['exposures']}" for row in rows}


def simulate(companies: int, clients: int, workers: int) -> dict[str, Any]:
    """Relative risks over many companies, and how often the interval of one company covers them."""
    seeds = range(FIRST_SEED, FIRST_SEED + companies)
    with ProcessPoolExecutor(workers) as pool:
        found = list(pool.map(_one_company, seeds, [clients] * companies))
    total: dict[tuple[str, str], Counter[str]] = {}
    for row in (row for rows in found for row in rows):
        cell = total.setdefault((row["signal"], row["level"]), Counter())
        cell.update(exposures=row["exposures"], churned=row["churned"])
    signals: dict[str, Any] = {}
    for signal, steps in levels().items():
        reference, *others = [level for _, level in steps]
        signals[signal] = {
            level: _truth_of(total, found, signal, level, reference, is_null=signal in NULL_SIGNALS) for level in others
        }
    return {
        "first_seed": FIRST_SEED,
        "companies": companies,
        "clients": clients,
        "as_of": to_date(DEFAULT_AS_OF).isoformat(),
        "probe": probe(),
        "relative_risk": signals,
    }


def _truth_of(total, found, signal: str, level: str, reference: str, *, is_null: bool) -> dict[str, Any]:
    def cells(rows: Any) -> tuple[int, int, int, int]:
        one, other = rows[signal, level], rows[signal, reference]
        return one["churned"], one["exposures"], other["churned"], other["exposures"]

    risk, error = relative_risk(*cells(total))
    truth = 1.0 if is_null else risk
    covered = judged = above = 0
    for rows in found:
        a, n, c, m = cells({(row["signal"], row["level"]): row for row in rows})
        if n < 30 or 0 in (a, n - a, c, m - c):
            continue
        one, spread = relative_risk(a, n, c, m)
        judged += 1
        covered += abs(log(one) - log(truth)) <= Z * spread
        above += log(one) - Z * spread > 0
    return {
        "truth": round(truth, 4),
        "counted": round(risk, 4),
        "counted_low": round(exp(log(risk) - Z * error), 4),
        "counted_high": round(exp(log(risk) + Z * error), 4),
        "exposures": total[signal, level]["exposures"],
        "churned": total[signal, level]["churned"],
        "companies_judged": judged,
        "covered": round(covered / judged, 3) if judged else None,
        "called_a_driver": round(above / judged, 3) if judged else None,
    }


def main(companies: int = 100, clients: int = DEFAULT_CLIENTS, workers: int = 2, path: Path = TRUTH_FILE) -> None:
    """Draw the companies and write what the drivers come to."""
    told = simulate(companies, clients, workers)
    header = "# Written by `python -m demo.drivers`: what the planted drivers come to. See demo/drivers.py.\n"
    path.write_text(header + yaml.safe_dump(told, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
