"""The planted truth of serving: tickets, feedback, contacts, managers and hand-overs.

Tickets and feedback are counted as they were meant when they were written; the months are those of the marts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import Any

from demo.drivers import ONE_WORKING_DAY
from demo.model import day_of, midnight
from demo.plan import Plan
from demo.seen import SeenClient, levels, mature_months, month_of
from demo.worktime import seconds_between

CONTACT_DAYS, WELCOME_FROM, WELCOME_UNTIL = 14, 20, 45


def tell(plan: Plan, clients: list[SeenClient], today: int) -> dict[str, Any]:
    """The truth of serving on a day."""
    months = {month.isoformat(): closing for month, _, closing in mature_months(today)}
    return {
        "tickets": _tickets(plan, today),
        "ticket_quality": _quality(plan, today, months),
        "feedback": _feedback(plan, today, months),
        "communication": _communication(clients, months),
        "handover": _handover([client for client in clients if client.spells], today, months),
        "troubles_by_client": [
            {"client_id": client.client_id}
            | {
                what: len(client.days.get(kind, []))
                for what, kind in (
                    ("complaints", "complaint"),
                    ("disputes", "dispute"),
                    ("failed_payments", "failed_payment"),
                    ("refunds_refused", "refund_refused"),
                )
            }
            for client in clients
        ],
    }


def _rows(counts: dict[tuple, Counter[str]], keys: tuple[str, ...], columns: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        dict(zip(keys, key, strict=True)) | {column: count[column] for column in columns}
        for key, count in sorted(counts.items())
    ]


def _tickets(plan: Plan, today: int) -> list[dict[str, Any]]:
    """By month of opening, queue and class, the running month included."""
    instant = midnight(today)
    counts: dict[tuple, Counter[str]] = defaultdict(Counter)
    for fact in plan.book.facts["tickets"]:
        if (seen := fact.seen_at(instant)) is not None:
            _, _, queue, _, sla_class, opened_at, _ = seen[1]
            counts[month_of(day_of(opened_at)), queue, sla_class]["tickets"] += 1
    return _rows(counts, ("month", "queue", "sla_class"), ("tickets",))


def _quality(plan: Plan, today: int, months: dict[str, int]) -> list[dict[str, Any]]:
    instant = midnight(today)
    counts: dict[tuple, Counter[str]] = defaultdict(Counter)
    for story in (story for stories in plan.tickets for story in stories):
        if (seen := story.ticket.seen_at(instant)) is None:
            continue
        month = month_of(day_of(seen[1][5]))
        if month not in months:
            continue
        changes = sum(changed_at < instant for changed_at in story.promise_changes)
        counts[month, seen[1][2]].update(
            tickets=1,
            promise_changes=changes,
            promise_changed_tickets=int(changes > 0),
            reopened=int(story.reopened_at is not None and story.reopened_at < instant),
        )
    columns = ("tickets", "promise_changes", "promise_changed_tickets", "reopened")
    return _rows(counts, ("month", "queue"), columns)


def _feedback(plan: Plan, today: int, months: dict[str, int]) -> list[dict[str, Any]]:
    instant = midnight(today)
    counts: dict[tuple, Counter[str]] = defaultdict(Counter)
    for fact in plan.book.facts["feedback"]:
        if (seen := fact.seen_at(instant)) is None:
            continue
        _, _, kind, score, is_public, _, _, submitted_at, answered_at, acted_at = seen[1]
        month = month_of(day_of(submitted_at))
        if month not in months:
            continue
        is_negative = kind == "review" and is_public and score <= 2
        in_time = answered_at is not None and seconds_between(submitted_at, answered_at) <= ONE_WORKING_DAY
        counts[month, kind].update(
            submitted=1,
            answered_in_time=int(in_time),
            unanswered=int(answered_at is None),
            negative_public=int(is_negative),
            negative_public_unanswered=int(is_negative and answered_at is None),
            acted_on=int(acted_at is not None),
            ignored=int(acted_at is None and day_of(submitted_at) < today - 14),
        )
    columns = ("submitted", "answered_in_time", "unanswered", "negative_public", "negative_public_unanswered")
    return _rows(counts, ("month", "kind"), (*columns, "acted_on", "ignored"))


def _communication(clients: list[SeenClient], months: dict[str, int]) -> list[dict[str, Any]]:
    kinds = {"manager_changes": "manager_change", "upsell_contacts": "outbound upsell", "unsubscribed": "unsubscribed"}
    counts: dict[tuple, Counter[str]] = defaultdict(Counter)
    for client in clients:
        for column, kind in kinds.items():
            for when in client.days.get(kind, []):
                if month_of(when) in months:
                    for level in levels(client):
                        counts[month_of(when), level][column] += 1
    return _rows(counts, ("month", "segment"), tuple(kinds))


def _handover(clients: list[SeenClient], today: int, months: dict[str, int]) -> list[dict[str, Any]]:
    counts: dict[tuple, Counter[str]] = defaultdict(Counter)
    waits: dict[tuple, list[int]] = defaultdict(list)
    for client in clients:
        first = client.spells[0]
        start, month = first.started_on, month_of(first.started_on)
        if month not in months or months[month] + WELCOME_UNTIL >= today:
            continue
        contacts = sorted(
            when
            for kind in ("outbound service", "outbound welcome")
            for when in client.days.get(kind, [])
            if when >= start
        )
        is_due = first.ended_on is None or first.ended_on > start + WELCOME_UNTIL
        is_done = is_due and client.count("outbound welcome", start + WELCOME_FROM, start + WELCOME_UNTIL + 1) > 0
        for level in levels(client):
            counts[month, level].update(
                started=1,
                without_contact_14d=int(not contacts or contacts[0] > start + CONTACT_DAYS),
                welcome_due=int(is_due),
                welcome_done=int(is_done),
            )
            waits[month, level] += [contacts[0] - start] if contacts else []
    rows = _rows(counts, ("month", "segment"), ("started", "without_contact_14d", "welcome_due", "welcome_done"))
    for row in rows:
        found = waits[row["month"], row["segment"]]
        row["median_days_to_contact"] = float(median(found)) if found else None
    return rows
