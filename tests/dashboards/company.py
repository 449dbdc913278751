"""A small company as canonical files, lively enough that every chart has something to draw."""

import csv
import math
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

AS_OF = date(2026, 1, 1)
FIRST_DAY = date(2023, 1, 1)
PROGRAMME = date(2024, 1, 1)
SEGMENTS = ("agency", "retail", "services")

Rows = list[dict[str, Any]]


def write(folder: Path, clients: int = 400, seed: int = 7) -> Path:
    """Write clients, contracts, termination requests and dismissals of a company whose churn falls in 2024."""
    chance = random.Random(seed)
    tables: dict[str, Rows] = {"clients": [], "contracts": [], "termination_requests": [], "dismissals": []}
    for number in range(clients):
        key = f"c{number:04}"
        started = FIRST_DAY + timedelta(days=int(chance.random() ** 1.5 * (AS_OF - FIRST_DAY).days))
        tables["clients"].append(
            {"client_key": key, "name": key, "segment": chance.choice(SEGMENTS), "registered_at": started}
        )
        _live(key, started, chance, tables)
    return write_tables(folder, tables)


def write_tables(folder: Path, tables: dict[str, Rows]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for entity, rows in tables.items():
        with (folder / f"{entity}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


def _live(key: str, started: date | None, chance: random.Random, tables: dict[str, Rows]) -> None:
    price, number = chance.randint(20, 400) * 100, 1
    while started is not None and started < AS_OF:
        ended = _end(started, chance)
        if ended >= AS_OF:
            tables["contracts"].append(_contract(key, number, price, started, None, ""))
            return
        way = chance.choices(["released", "lapsed", "non_payment", "dismissed"], [45, 35, 10, 10])[0]
        reason = {"released": "request", "lapsed": "expired"}.get(way, way)
        tables["contracts"].append(_contract(key, number, price, started, ended, reason))
        started = {"released": _release, "dismissed": _dismiss}.get(way, _silence)(key, ended, chance, tables)
        price = round(price * chance.uniform(0.8, 1.3))
        number += 1


def _end(started: date, chance: random.Random) -> date:
    """The end of a stay: half leave within a year before the programme, a fifth after it."""
    ended = started + timedelta(days=int(chance.expovariate(math.log(2) / 365)) + 20)
    if ended <= PROGRAMME:
        return ended
    later = max(started, PROGRAMME)
    return later + timedelta(days=int(chance.expovariate(-math.log(0.8) / 365)) + 20)


def _release(key: str, ended: date, chance: random.Random, tables: dict[str, Rows]) -> date | None:
    handling = chance.choices(["free", "bonus_offered", "obstructed"], [60, 20, 20])[0]
    tables["termination_requests"].append(
        {
            "request_key": f"{key}-{ended}",
            "client_key": key,
            "requested_at": ended - timedelta(days=3),
            "outcome": "released",
            "completed_at": ended,
            "bonus_offered": str(handling == "bonus_offered").lower(),
            "obstacle": "asked to wait" if handling == "obstructed" else "",
        }
    )
    back = {"free": 0.5, "bonus_offered": 0.3, "obstructed": 0.15}[handling]
    return ended + timedelta(days=9 + int(chance.expovariate(1 / 90))) if chance.random() < back else None


def _dismiss(key: str, ended: date, chance: random.Random, tables: dict[str, Rows]) -> date | None:
    tables["dismissals"].append({"client_key": key, "dismissed_at": ended, "reason": "abuse"})
    return None


def _silence(key: str, ended: date, chance: random.Random, tables: dict[str, Rows]) -> date | None:
    return ended + timedelta(days=60) if chance.random() < 0.1 else None


def _contract(key: str, number: int, price: int, started: date, ended: date | None, reason: str) -> dict[str, Any]:
    return {
        "contract_key": f"{key}-{number}",
        "client_key": key,
        "plan": "basic",
        "price": price,
        "billing_period": "month",
        "started_on": started,
        "ended_on": ended or "",
        "end_reason": reason,
        "is_trial": "false",
    }
