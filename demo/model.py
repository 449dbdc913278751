"""What everything in the demo is made of: days, instants, chance, and facts that become visible over time.

A day is a whole number of days since 1970-01-01 in Moscow (UTC+3 all year since 2014), an instant a whole number of
seconds since 1970-01-01 UTC: whole numbers keep the generator quick and its output the same on every machine.

A fact is one row of a canonical entity with its versions. A version says from which instant on the systems show it;
the state of the systems at `as_of` is, for each fact, the last version that became visible before midnight of that day.
So state is a function of the day alone, and advancing ten times three days equals advancing thirty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import numpy as np

DAY_SECONDS = 86_400
MOSCOW_OFFSET = 3 * 3_600
EPOCH = date(1970, 1, 1)

Choice = TypeVar("Choice")


def day(year: int, month: int, day_of_month: int) -> int:
    """The number of a calendar day."""
    return (date(year, month, day_of_month) - EPOCH).days


def to_date(day_number: int) -> date:
    """The calendar day of a day number."""
    return EPOCH + timedelta(days=day_number)


def day_number(calendar_day: date) -> int:
    """The day number of a calendar day."""
    return (calendar_day - EPOCH).days


def midnight(day_number: int) -> int:
    """The instant at which a day begins in Moscow."""
    return day_number * DAY_SECONDS - MOSCOW_OFFSET


def at(day_number: int, hour: int, minute: int = 0, second: int = 0) -> int:
    """The instant of a wall-clock time in Moscow."""
    return midnight(day_number) + hour * 3_600 + minute * 60 + second


def day_of(instant: int) -> int:
    """The Moscow day on which an instant falls."""
    return (instant + MOSCOW_OFFSET) // DAY_SECONDS


def to_datetime(instant: int) -> datetime:
    """An instant as a timezone-aware UTC datetime."""
    return datetime.fromtimestamp(instant, UTC)


FIRST_DAY = day(2022, 1, 1)
DEFAULT_AS_OF = day(2026, 1, 1)
PROGRAMME_ON = day(2024, 1, 1)
HORIZON = day(2027, 7, 1)
"""The future is planned up to here; `advance` cannot go further."""

DEFAULT_SEED = 20_240_101
DEFAULT_CLIENTS = 2_000


# Chance. One generator per client and domain, so that a client's life does not depend on how many others there are.
def stream(seed: int, domain: str, number: int = 0) -> np.random.Generator:
    """A generator of its own for a domain ("life", "billing", ...) and a client."""
    return np.random.default_rng([seed, sum(ord(letter) * 31**place for place, letter in enumerate(domain)), number])


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with this probability."""
    return rng.random() < probability


def between(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))


def pick(rng: np.random.Generator, options: Sequence[Choice]) -> Choice:
    """One of the options, all equally likely."""
    return options[int(rng.random() * len(options))]


def weighted(rng: np.random.Generator, weights: Mapping[Choice, float]) -> Choice:
    """One of the keys, each with the likelihood of its value (they need not add up to 1)."""
    mark = rng.random() * sum(weights.values())
    for option, weight in weights.items():
        mark -= weight
        if mark < 0:
            return option
    return option


# The columns of the canonical contract, in its order.
COLUMNS: dict[str, tuple[str, ...]] = {
    "clients": (
        "client_key",
        "name",
        "segment",
        "size_band",
        "region",
        "acquisition_channel",
        "registered_at",
        "closed_at",
        "marketing_consent",
    ),
    "client_links": ("source", "source_key", "client_key"),
    "employees": ("employee_key", "full_name", "department", "is_head", "active_from", "active_to"),
    "manager_assignments": ("client_key", "employee_key", "role", "valid_from", "valid_to"),
    "deals": ("deal_key", "client_key", "employee_key", "stage", "amount", "currency", "created_at", "closed_at"),
    "contacts": ("contact_key", "client_key", "employee_key", "direction", "channel", "purpose", "occurred_at"),
    "termination_requests": (
        "request_key",
        "client_key",
        "requested_at",
        "outcome",
        "completed_at",
        "bonus_offered",
        "obstacle",
    ),
    "dismissals": ("client_key", "dismissed_at", "reason", "decided_by"),
    "exit_interviews": (
        "interview_key",
        "client_key",
        "invited_at",
        "channel",
        "answered_at",
        "reason_code",
        "would_return",
    ),
    "reason_fixes": ("fix_key", "reason_code", "owner_department", "planned_on", "fixed_on"),
    "mailings": ("mailing_key", "client_key", "sent_at", "opened_at", "unsubscribed_at"),
    "contracts": (
        "contract_key",
        "client_key",
        "plan",
        "price",
        "currency",
        "billing_period",
        "started_on",
        "ended_on",
        "end_reason",
        "is_trial",
    ),
    "prepaid_events": ("event_key", "client_key", "kind", "amount", "currency", "occurred_at"),
    "invoices": ("invoice_key", "client_key", "issued_at", "due_at", "total", "currency", "disputed_at"),
    "invoice_lines": ("invoice_key", "line_no", "kind", "amount"),
    "payments": ("payment_key", "client_key", "invoice_key", "amount", "currency", "status", "paid_at"),
    "refunds": ("refund_key", "client_key", "requested_at", "amount", "currency", "decision", "decided_at"),
    "tickets": ("ticket_key", "client_key", "queue", "topic", "sla_class", "opened_at", "opened_by"),
    "ticket_events": ("event_key", "ticket_key", "kind", "employee_key", "occurred_at", "new_value"),
    "messages": ("message_key", "ticket_key", "author", "employee_key", "sent_at"),
    "feedback": (
        "feedback_key",
        "client_key",
        "kind",
        "score",
        "is_public",
        "ticket_key",
        "employee_key",
        "submitted_at",
        "answered_at",
        "acted_on_at",
    ),
}

KEYED = {entity for entity, columns in COLUMNS.items() if columns[0].endswith("_key")} - {
    "employees",
    "manager_assignments",
    "dismissals",
    "invoice_lines",
}
"""Entities whose first column is the key that the source system counts up as rows appear."""

KEY_TEXT = {"contracts": "K{:06d}", "invoices": "S{:07d}", "payments": "P{:07d}", "refunds": "R{:05d}"}

DAY_COLUMNS = {column for columns in COLUMNS.values() for column in columns if column.endswith("_on")} | {
    "valid_from",
    "valid_to",
    "active_from",
    "active_to",
}
INSTANT_COLUMNS = {column for columns in COLUMNS.values() for column in columns if column.endswith("_at")}
MONEY_COLUMNS = {"price", "amount", "total"}
"""Money is a whole number of kopecks inside the generator."""


class Fact:
    """One row of an entity, with its versions and, if it is deleted one day, the instant at which it vanishes."""

    __slots__ = ("entity", "number", "vanishes_at", "versions")

    def __init__(self, entity: str, visible_at: int, values: tuple[Any, ...]) -> None:
        self.entity = entity
        self.number = 0
        self.versions: list[tuple[int, tuple[Any, ...]]] = [(visible_at, values)]
        self.vanishes_at: int | None = None

    def change(self, visible_at: int, **changes: Any) -> None:
        """Add a version: the one before it with some columns changed."""
        columns = COLUMNS[self.entity]
        before_at, before = self.versions[-1]
        values = tuple(changes.get(column, value) for column, value in zip(columns, before, strict=True))
        # One system writes one row at one instant once: a later version is at least a second younger.
        self.versions.append((max(visible_at, before_at + 1), values))

    def seen_at(self, instant: int) -> tuple[int, tuple[Any, ...]] | None:
        """The version that is visible just before an instant, with the instant it became so; None if there is none."""
        if self.vanishes_at is not None and self.vanishes_at < instant:
            return None
        for visible_at, values in reversed(self.versions):
            if visible_at < instant:
                return visible_at, values
        return None

    @property
    def key(self) -> str:
        """The key by which the source system knows the row."""
        return KEY_TEXT.get(self.entity, "{}").format(self.number)


@dataclass
class Book:
    """All facts of the company, by entity."""

    facts: dict[str, list[Fact]] = field(default_factory=lambda: {entity: [] for entity in COLUMNS})

    def add(self, entity: str, visible_at: int, *values: Any) -> Fact:
        """Write down a fact. `values` are the entity's columns in order, without the key that the system counts up."""
        row = (None, *values) if entity in KEYED else values
        if len(row) != len(COLUMNS[entity]):
            raise ValueError(f"{entity} has the columns {COLUMNS[entity]}, got {len(row)} values")
        fact = Fact(entity, visible_at, row)
        self.facts[entity].append(fact)
        return fact

    def count_up(self) -> None:
        """Number the facts of each entity in the order in which they become visible, as the systems do."""
        for facts in self.facts.values():
            facts.sort(key=lambda fact: fact.versions[0][0])
            for number, fact in enumerate(facts, start=1):
                fact.number = number


def plain(fact: Fact, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """A version's values with references to other facts replaced by their keys, its own key filled in."""
    row = [value.key if isinstance(value, Fact) else value for value in values]
    if fact.entity in KEYED:
        row[0] = fact.key
    return tuple(row)
