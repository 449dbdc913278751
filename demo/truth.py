"""The planted truth at a day: counts and sums that the warehouse must recover exactly.

Computed from the plan (which spell a contract was written for, how the exit was meant), never by SQL and not by
searching the rows for spells: what is compared here is what was planted, not another reading of the same rows.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from demo import crm, drivers, service, truth_leaving, truth_service
from demo import life as planned
from demo.model import FIRST_DAY, PROGRAMME_ON, day_number, day_of, midnight, to_date
from demo.plan import Plan
from demo.seen import ALL, SeenClient, SeenSpell, levels, mature_months, see
from demo.service import is_canonical

WINDOWS = (30, 90, 180, 365)
EXIT_TYPES = ("released", "lapsed", "payment_failure", "dismissed", "dissolved")


def tell(plan: Plan, as_of: date) -> dict[str, Any]:
    """The truth on a day, ready for JSON: days as ISO text, money as text with two decimals."""
    today = day_number(as_of)
    everybody = see(plan, today)
    clients = [client for client in everybody if client.spells]
    months = mature_months(today)
    releases = [row for client in clients for row in _releases(client, today)]
    churn = _churn(clients, months)
    return {
        "seed": plan.seed,
        "clients": plan.clients,
        "as_of": as_of.isoformat(),
        "history_starts_on": to_date(FIRST_DAY).isoformat(),
        "programme": {"event": "retention_programme", "happened_on": to_date(PROGRAMME_ON).isoformat()},
        "planted": _planted(),
        "rows": _rows(plan, today),
        "annual_churn": _annual(churn),
        "spells": [_spell_row(client, spell) for client in clients for spell in client.spells],
        "releases": releases,
        "returns": _returns(releases, today),
        "churn_monthly": churn,
        "mrr_monthly": _money(clients, months),
        "retention_cohorts": _cohorts(clients, months),
        "first_100_days": _first_100_days(clients, today),
        **truth_service.tell(plan, everybody, today),
        **truth_leaving.tell(plan, clients, today),
        "churn_drivers": drivers.count(clients, today),
    }


def write(plan: Plan, as_of: date, path: Path) -> dict[str, Any]:
    """Write the truth to a file (whole or not at all) and return it."""
    truth = tell(plan, as_of)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(truth, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(path)
    return truth


def _releases(client: SeenClient, today: int) -> list[dict[str, Any]]:
    rows = []
    for place, spell in enumerate(client.spells):
        if spell.exit_type != "released":
            continue
        release = spell.planned.release
        comes_back_on = client.spells[place + 1].started_on if place + 1 < len(client.spells) else None
        is_decided = release.refund_decided_at is not None and release.refund_decided_at < midnight(today)
        decision = _refund(release, is_decided, today)
        has_request = release.completed_at is not None and release.completed_at < midnight(today)
        handling = "unknown"
        if has_request:
            days = day_of(release.completed_at) - day_of(release.requested_at)
            if days > planned.OBSTRUCTION_DAYS or release.obstacle is not None or decision == "refused":
                handling = "obstructed"
            else:
                handling = "bonus_offered" if release.bonus_offered else "free"
        rows.append(
            {
                "client_id": client.client_id,
                "spell_number": spell.number,
                "segment": client.segment,
                "released_on": _iso(spell.ended_on),
                "handling": handling,
                "days_to_release": days if has_request else None,
                "refund_decision": decision,
                "returned_on": None if comes_back_on is None else _iso(comes_back_on),
                "days_to_return": None if comes_back_on is None else comes_back_on - spell.ended_on,
            }
        )
    return rows


def _refund(release: planned.Release, is_decided: bool, today: int) -> str:
    if release.refund_asked_at is None or release.refund_asked_at >= midnight(today):
        return "none_asked"
    return release.refund_decision if is_decided else "undecided"


# Counting
def _year_before(closing: int) -> int | None:
    """The edge 12 months before a closing edge; None before history starts."""
    following = to_date(closing + 1)
    edge = day_number(following.replace(year=following.year - 1)) - 1
    return None if edge < FIRST_DAY else edge


def _churn(clients: list[SeenClient], months: list[tuple[date, int, int]]) -> list[dict[str, Any]]:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for client in clients:
        for month, opening, closing in months:
            before, after = client.spell_on(opening), client.spell_on(closing)
            names = []
            if before is not None:
                names.append("opening_clients")
            if after is not None:
                names.append("closing_clients")
                if before is None:
                    names.append("new_clients" if after.number == 1 else "returned_clients")
            elif before is not None:
                exit_type = client.last_exit(closing)
                names += ["churned_clients", exit_type]
                if exit_type != "dismissed":
                    names.append("regretted_churned_clients")
            elif any(opening < spell.started_on <= closing for spell in client.spells):
                names.append("joined_and_left")
            edge = _year_before(closing)
            if edge is not None and client.spell_on(edge) is not None:
                names.append("opening_12m")
                if after is None:
                    names.append("churned_12m")
                    if client.last_exit(closing) != "dismissed":
                        names.append("regretted_churned_12m")
            for level in levels(client):
                counts[(month.isoformat(), level)].update(names)
    columns = (
        "opening_clients",
        "new_clients",
        "returned_clients",
        "churned_clients",
        "closing_clients",
        "regretted_churned_clients",
        *EXIT_TYPES,
        "joined_and_left",
    )
    rows = []
    for month, _, closing in months:
        yearly = dict.fromkeys(("opening_12m", "churned_12m", "regretted_churned_12m"))
        for level in _segments(clients):
            count = counts[(month.isoformat(), level)]
            if _year_before(closing) is not None:
                yearly = {name: count[name] for name in yearly}
            rows.append(
                {"month": month.isoformat(), "segment": level, **{name: count[name] for name in columns}, **yearly}
            )
    return rows


def _segments(clients: list[SeenClient]) -> list[str]:
    return [ALL, *sorted({client.segment for client in clients})]


def _money(clients: list[SeenClient], months: list[tuple[date, int, int]]) -> list[dict[str, Any]]:
    names = ("opening", "new", "returned", "expansion", "contraction", "churned", "closing")
    yearly = ("mrr_12m_ago", "retained_mrr_12m", "mrr_now_of_12m_ago")
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for client in clients:
        edges = {edge: client.mrr(edge) for _, opening, closing in months for edge in (opening, closing)}
        for month, opening, closing in months:
            before, after = client.spell_on(opening), client.spell_on(closing)
            was, now = edges[opening], edges[closing]
            moved = Counter(opening=was, closing=now)
            if before is None and after is not None:
                moved["new" if after.number == 1 else "returned"] = now
            elif before is not None and after is None:
                moved["churned"] = was
            elif now > was:
                moved["expansion"] = now - was
            elif now < was:
                moved["contraction"] = was - now
            edge = _year_before(closing)
            if edge is not None and edges[edge] > 0:
                moved.update(mrr_12m_ago=edges[edge], retained_mrr_12m=min(now, edges[edge]), mrr_now_of_12m_ago=now)
            for level in levels(client):
                sums[(month.isoformat(), level)].update(moved)
    rows = []
    for month, _, closing in months:
        for level in _segments(clients):
            total = sums[(month.isoformat(), level)]
            row: dict[str, Any] = {"month": month.isoformat(), "segment": level}
            row |= {f"{name}_mrr": _rubles(total[name]) for name in names}
            has_year = _year_before(closing) is not None
            row |= {name: _rubles(total[name]) if has_year else None for name in yearly}
            rows.append(row)
    return rows


def _cohorts(clients: list[SeenClient], months: list[tuple[date, int, int]]) -> list[dict[str, Any]]:
    closings = [closing for _, _, closing in months]
    cells: dict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
    for client in clients:
        cohort = bisect_right(closings, client.spells[0].started_on - 1)
        if cohort >= len(months):
            continue
        month0 = client.mrr(closings[cohort])
        for number, closing in enumerate(closings[cohort:]):
            spell = client.spell_on(closing)
            cell = Counter(
                cohort_size=1,
                active_clients=int(spell is not None),
                unbroken_clients=int(spell is not None and spell.number == 1),
                cohort_mrr=client.mrr(closing),
                month0_mrr=month0,
            )
            for level in levels(client):
                cells[(months[cohort][0].isoformat(), level, number)].update(cell)
    rows = []
    keys = [
        (months[cohort][0].isoformat(), level, number)
        for cohort in range(len(months))
        for level in _segments(clients)
        for number in range(len(months) - cohort)
    ]
    for month, level, number in keys:
        cell = cells[(month, level, number)]
        row: dict[str, Any] = {"cohort_month": month, "segment": level, "month_number": number}
        row |= {name: cell[name] for name in ("cohort_size", "active_clients", "unbroken_clients")}
        row |= {name: _rubles(cell[name]) for name in ("cohort_mrr", "month0_mrr")}
        rows.append(row)
    return rows


def _first_100_days(clients: list[SeenClient], today: int) -> list[dict[str, Any]]:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for client in clients:
        first = client.spells[0]
        if first.started_on + 100 > today:
            continue
        is_short = first.ended_on is not None and first.ended_on - first.started_on < 100
        for level in levels(client):
            key = (to_date(first.started_on).replace(day=1).isoformat(), level)
            counts[key].update(started=1, churned_within_100=int(is_short))
    return [
        {"month": month, "segment": level, "started": count["started"], "churned": count["churned_within_100"]}
        for (month, level), count in sorted(counts.items())
    ]


def _returns(releases: list[dict[str, Any]], today: int) -> list[dict[str, Any]]:
    rows = []
    for window in WINDOWS:
        for handling in (ALL, "free", "bonus_offered", "obstructed", "unknown"):
            mature = [
                release
                for release in releases
                if handling in (ALL, release["handling"])
                and day_number(date.fromisoformat(release["released_on"])) + window < today
            ]
            returned = [r for r in mature if r["days_to_return"] is not None and r["days_to_return"] <= window]
            rows.append(
                {
                    "window_days": window,
                    "handling": handling,
                    "mature_releases": len(mature),
                    "returned": len(returned),
                }
            )
    return rows


def _annual(churn: list[dict[str, Any]]) -> dict[str, Any]:
    decembers = [row for row in churn if row["segment"] == ALL and row["month"][5:7] == "12"]
    return {
        row["month"][:4]: {
            "opening_12m": row["opening_12m"],
            "churned_12m": row["churned_12m"],
            "rate": round(row["churned_12m"] / row["opening_12m"], 4),
        }
        for row in decembers
        if row["opening_12m"]
    }


def _spell_row(client: SeenClient, spell: SeenSpell) -> dict[str, Any]:
    return {
        "client_id": client.client_id,
        "spell_number": spell.number,
        "started_on": _iso(spell.started_on),
        "ended_on": None if spell.ended_on is None else _iso(spell.ended_on),
        "exit_type": spell.exit_type,
    }


def _rows(plan: Plan, today: int) -> dict[str, int]:
    """Rows of each entity that the systems show."""
    instant = midnight(today)
    return {
        entity: sum(fact.seen_at(instant) is not None for fact in facts if is_canonical(fact))
        for entity, facts in plan.book.facts.items()
    }


def _planted() -> dict[str, Any]:
    """The parameters of the plan, for those who look for them later."""
    return {
        "driver_hazard_factors": planned.MULTIPLIERS,
        "return_probability_by_handling": planned.RETURNS,
        "return_probability_of_others": planned.RETURNS_OF_OTHERS,
        "return_probability_of_called": planned.CALLED_RETURN,
        "early_days_factor": {"days": planned.EARLY_DAYS, "factor": planned.EARLY_FACTOR},
        "manager_resolution_speed_up": service.MANAGER_SPEED_UP,
        "share_of_lapsed_that_are_called": planned.CALLED_SHARE,
        "answer_rate_of_leavers": 0.2,
        "answer_rate_by_defector": crm.ANSWER_RATE,
        "satisfaction_crosses": {"line": 4.5, "from": "2024-03-01", "until": "2024-06-01"},
        "null_signal_rates": planned.NULL_RATES,
    }


def _iso(when: int) -> str:
    return to_date(when).isoformat()


def _rubles(kopecks: int) -> str:
    return str((Decimal(kopecks) / 100).quantize(Decimal("0.01")))
