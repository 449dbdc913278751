"""The marts of service and satisfaction, in plain Python from the text of the definitions page.

An oracle like `model.py`: naive on purpose, no code in common with the product. Business time is whole microseconds,
so that a target that is met exactly is met. `AMBIGUOUS:` marks a place that can be read in two ways.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from statistics import median
from typing import Any

from tests.reference.model import Company, add_months, first_of, identity_map, is_final, last_day, spell_on
from tests.reference.reading import Config, Row, local_day, read_seed

MINUTE = 60_000_000  # microseconds
WORKING_DAY_MINUTES = 540
SATISFACTION_PARTS = {"operator": "operator_rating", "review": "review", "survey": "survey"}


# --------------------------------------------------------------------------------------------------- business time


WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def of_day(at: time) -> int:
    """Microseconds of the wall clock since midnight."""
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1_000_000 + at.microsecond


def of_text(text: str) -> int:
    """The same of a text such as 09:30, 09:30:00 or 24:00."""
    hours, minutes, seconds = (int(part) for part in f"{text}:00".split(":")[:3])
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000


@dataclass
class Calendar:
    """The regular week and its exceptions."""

    config: Config
    exceptions: dict[date, tuple[int, int]]
    known: dict[date, tuple[int, int]] = field(default_factory=dict)

    def interval(self, day: date) -> tuple[int, int]:
        """(opens, closes) of a day in microseconds of the wall clock; equal ones when it is closed."""
        if day not in self.known:
            opens, closes = self.exceptions.get(day, (of_text(self.config.opens_at), of_text(self.config.closes_at)))
            if day not in self.exceptions and WEEK[day.weekday()] not in self.config.working_days:
                closes = opens
            self.known[day] = (opens, max(opens, closes))
        return self.known[day]

    def whole(self, day: date) -> int:
        opens, closes = self.interval(day)
        return closes - opens

    def by(self, day: date, at: time) -> int:
        """How much of a day's working time has passed at a time of its wall clock."""
        opens, closes = self.interval(day)
        return min(max(of_day(at), opens), closes) - opens


def calendar_of(company: Company) -> Calendar:
    exceptions = {}
    for row in read_seed(company.folder, "calendar_exceptions"):
        opens_at, closes_at = row["opens_at"], row["closes_at"]
        is_closed = opens_at is None or closes_at is None
        exceptions[date.fromisoformat(row["day"])] = (0, 0) if is_closed else (of_text(opens_at), of_text(closes_at))
    return Calendar(company.config, exceptions)


def business_microseconds(calendar: Calendar, start: datetime, end: datetime) -> int:
    """Working time from one instant to a later one, by the wall clock, day by day."""
    first, last = start.astimezone(calendar.config.zone), end.astimezone(calendar.config.zone)
    if first.date() == last.date():
        return calendar.by(last.date(), last.time()) - calendar.by(first.date(), first.time())
    total = calendar.whole(first.date()) - calendar.by(first.date(), first.time())
    day = first.date() + timedelta(days=1)
    while day < last.date():
        total += calendar.whole(day)
        day += timedelta(days=1)
    return total + calendar.by(last.date(), last.time())


def business_minutes(calendar: Calendar, start: datetime, end: datetime) -> float:
    return business_microseconds(calendar, start, end) / MINUTE


# ----------------------------------------------------------------------------------------------------------- facts


@dataclass
class Message:
    key: str
    author: str
    employee_id: str | None  # None when nobody is named or the name is unknown
    sent_at: datetime
    sent_on: date

    @property
    def is_ours(self) -> bool:
        """By a human of ours, known by name or not; an automatic one is nobody's."""
        return self.author == "employee"


@dataclass
class Event:
    key: str
    kind: str
    occurred_at: datetime
    occurred_on: date
    new_value: str | None

    @property
    def is_resolution(self) -> bool:
        return self.kind in ("solved", "closed")


@dataclass
class Ticket:
    key: str
    client_id: str
    queue: str
    topic: str | None
    sla_class: str
    opened_by: str
    opened_at: datetime
    opened_on: date
    messages: list[Message] = field(default_factory=list)  # by time, then key; none before the opening
    events: list[Event] = field(default_factory=list)  # likewise

    @property
    def resolutions(self) -> list[datetime]:
        return [event.occurred_at for event in self.events if event.is_resolution]


@dataclass
class Feedback:
    key: str
    client_id: str
    kind: str
    score: Decimal | None
    is_public: bool
    submitted_at: datetime
    submitted_on: date
    answered_at: datetime | None
    acted_on_on: date | None


@dataclass
class Contact:
    client_id: str
    employee_id: str | None
    direction: str
    channel: str
    purpose: str
    occurred_at: datetime
    occurred_on: date


@dataclass
class Mailing:
    client_id: str
    sent_on: date
    opened_on: date | None
    unsubscribed_on: date | None


@dataclass
class Assignment:
    """An account manager's; other roles are not here, nor employees whom nobody knows."""

    client_id: str
    employee_id: str
    valid_from: date
    valid_to: date | None

    def in_force(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass
class Facts:
    """What the marts of service count, cut at as_of and given to clients."""

    calendar: Calendar
    as_of_at: datetime  # local midnight at the start of as_of
    tickets: list[Ticket]
    feedback: list[Feedback]
    contacts: list[Contact]
    mailings: list[Mailing]
    assignments: list[Assignment]

    def __post_init__(self) -> None:
        self.tickets_of = of_client(self.tickets)
        self.contacts_of = of_client(self.contacts)
        self.assignments_of = of_client(self.assignments)

    def minutes(self, start: datetime, end: datetime) -> float:
        return business_minutes(self.calendar, start, end)


def of_client(things: Iterable[Any]) -> dict[str, list[Any]]:
    """client_id → its things."""
    groups: dict[str, list[Any]] = defaultdict(list)
    for thing in things:
        groups[thing.client_id].append(thing)
    return groups


def facts(company: Company) -> Facts:
    """The facts of a company; they are read once and kept with it."""
    if "facts" not in company.__dict__:
        company.__dict__["facts"] = read_facts(company)
    return company.__dict__["facts"]


def read_facts(company: Company) -> Facts:
    zone, as_of = company.config.zone, company.as_of
    links = identity_map(company.tables)
    known_employees = {row["employee_key"] for row in company.employees}

    def day_of(moment: datetime) -> date:
        return local_day(moment, zone)

    def happened(entity: str, column: str) -> Iterable[Row]:
        return (row for row in company.tables[entity].rows if day_of(row[column]) < as_of)

    def by_now(moment: datetime | None) -> datetime | None:
        """A later timestamp of a row that falls on or after as_of has not happened yet."""
        return None if moment is None or day_of(moment) >= as_of else moment

    def day_by_now(moment: datetime | None) -> date | None:
        return None if by_now(moment) is None else day_of(moment)

    def helpdesk_client(row: Row) -> str:
        return links.get(("tickets", row["client_key"]), row["client_key"])

    def employee(key: str | None) -> str | None:
        return key if key in known_employees else None

    tickets = {
        row["ticket_key"]: Ticket(
            row["ticket_key"],
            helpdesk_client(row),
            row["queue"],
            row["topic"],
            row["sla_class"],
            row["opened_by"],
            row["opened_at"],
            day_of(row["opened_at"]),
        )
        for row in happened("tickets", "opened_at")
    }
    for row in happened("messages", "sent_at"):
        ticket = tickets.get(row["ticket_key"])
        if ticket is not None and row["sent_at"] >= ticket.opened_at:
            ticket.messages.append(
                Message(
                    row["message_key"],
                    row["author"],
                    employee(row["employee_key"]),
                    row["sent_at"],
                    day_of(row["sent_at"]),
                )
            )
    for row in happened("ticket_events", "occurred_at"):
        ticket = tickets.get(row["ticket_key"])
        if ticket is not None and row["occurred_at"] >= ticket.opened_at:
            ticket.events.append(
                Event(row["event_key"], row["kind"], row["occurred_at"], day_of(row["occurred_at"]), row["new_value"])
            )
    for ticket in tickets.values():
        ticket.messages.sort(key=lambda message: (message.sent_at, message.key))
        ticket.events.sort(key=lambda event: (event.occurred_at, event.key))

    feedback = [
        Feedback(
            row["feedback_key"],
            helpdesk_client(row),
            row["kind"],
            # A score is decimal(3, 2).
            None if row["score"] is None else row["score"].quantize(Decimal("0.01"), ROUND_HALF_UP),
            row["is_public"],
            row["submitted_at"],
            day_of(row["submitted_at"]),
            by_now(row["answered_at"]),
            day_by_now(row["acted_on_at"]),
        )
        for row in happened("feedback", "submitted_at")
    ]
    contacts = [
        Contact(
            row["client_key"],
            employee(row["employee_key"]),
            row["direction"],
            row["channel"],
            row["purpose"],
            row["occurred_at"],
            day_of(row["occurred_at"]),
        )
        for row in happened("contacts", "occurred_at")
        if row["client_key"] in company.clients
    ]
    mailings = [
        Mailing(
            row["client_key"],
            day_of(row["sent_at"]),
            day_by_now(row["opened_at"]),
            day_by_now(row["unsubscribed_at"]),
        )
        for row in happened("mailings", "sent_at")
        if row["client_key"] in company.clients
    ]
    assignments = [
        Assignment(client.client_id, row["employee_key"], row["valid_from"], row["valid_to"])
        for client in company.clients.values()
        for row in client.assignments
        if row["role"] == "account_manager"
    ]
    as_of_at = datetime.combine(as_of, time(0), zone)
    return Facts(calendar_of(company), as_of_at, list(tickets.values()), feedback, contacts, mailings, assignments)


def manager_on(found: Facts, client_id: str, day: date) -> str | None:
    """The account manager in force with the latest valid_from; of two since the same day, the lesser key."""
    in_force = [row for row in found.assignments_of[client_id] if row.in_force(day)]
    if not in_force:
        return None
    latest = max(row.valid_from for row in in_force)
    return min(row.employee_id for row in in_force if row.valid_from == latest)


def first_assigned_on(found: Facts, client_id: str) -> date | None:
    return min((row.valid_from for row in found.assignments_of[client_id]), default=None)


def manager_changes(found: Facts) -> list[Assignment]:
    """Assignments that followed an earlier one of the same client."""
    return [row for row in found.assignments if row.valid_from > first_assigned_on(found, row.client_id)]


# --------------------------------------------------------------------------------------------------------- tickets


def first_response_at(ticket: Ticket) -> datetime | None:
    """The first human message of ours or the first resolution; None without one, or when we opened the ticket."""
    if ticket.opened_by != "client":
        return None
    moments = [message.sent_at for message in ticket.messages if message.is_ours] + ticket.resolutions
    return min(moments, default=None)


def resolved_at(ticket: Ticket) -> datetime | None:
    return min(ticket.resolutions, default=None)


def sla_targets(company: Company) -> dict[tuple[str, str], Fraction]:
    """(sla_class, metric) → minutes."""
    return {
        (row["sla_class"], row["metric"]): Fraction(row["target_minutes"])
        for row in read_seed(company.folder, "sla_targets")
    }


def sla_state(found: Facts, ticket: Ticket, done_at: datetime | None, target: Fraction | None) -> str | None:
    """`met`, `breached`, or None for one that is open and still in time (or has no target in the seed)."""
    if target is None:
        return None
    limit = target * MINUTE
    if business_microseconds(found.calendar, ticket.opened_at, done_at or found.as_of_at) > limit:
        return "breached"
    return "met" if done_at is not None else None


def is_reopened(ticket: Ticket) -> bool:
    return any(
        event.kind == "reopened" and any(moment < event.occurred_at for moment in ticket.resolutions)
        for event in ticket.events
    )


def reopenings(ticket: Ticket) -> list[Event]:
    """Each `reopened` that comes strictly after a solved or closed."""
    return [
        event
        for event in ticket.events
        if event.kind == "reopened" and any(moment < event.occurred_at for moment in ticket.resolutions)
    ]


def open_intervals(ticket: Ticket) -> list[tuple[datetime, datetime | None]]:
    """From the opening or a reopening to the next solved or closed; None = still open."""
    intervals: list[tuple[datetime, datetime | None]] = []
    opened: datetime | None = ticket.opened_at
    for event in ticket.events:
        if opened is not None and event.is_resolution:
            intervals.append((opened, event.occurred_at))
            opened = None
        elif opened is None and event.kind == "reopened":
            opened = event.occurred_at
    if opened is not None:
        intervals.append((opened, None))
    return intervals


def silences(ticket: Ticket) -> list[tuple[datetime, datetime | None]]:
    """Stretches of an open ticket without a human message of ours; None = silent still."""
    stretches: list[tuple[datetime, datetime | None]] = []
    for start, end in open_intervals(ticket):
        for message in ticket.messages:
            if message.is_ours and start < message.sent_at and (end is None or message.sent_at < end):
                stretches.append((start, message.sent_at))
                start = message.sent_at
        stretches.append((start, end))
    return stretches


def promise_changes(ticket: Ticket) -> list[Event]:
    """Promises after the first whose date is another than the one before; a promise taken back is another one."""
    promises = [event for event in ticket.events if event.kind == "promise_changed"]
    return [
        promises[position]
        for position in range(1, len(promises))
        if promises[position].new_value != promises[position - 1].new_value
    ]


def answered_at(ticket: Ticket, message: Message) -> datetime | None:
    """The first human message of ours strictly later than a client's message."""
    return min(
        (each.sent_at for each in ticket.messages if each.is_ours and each.sent_at > message.sent_at), default=None
    )


def unanswered(ticket: Ticket) -> list[Message]:
    return [each for each in ticket.messages if each.author == "client" and answered_at(ticket, each) is None]


def has_messages_in_a_row(ticket: Ticket) -> bool:
    """Two client messages without a human message of ours between; automatic ones are not there."""
    authors = [message.author for message in ticket.messages if message.author != "auto"]
    return any(authors[position : position + 2] == ["client", "client"] for position in range(len(authors)))


def is_repeat(ticket: Ticket, tickets: Iterable[Ticket]) -> bool:
    return ticket.topic is not None and any(
        other.client_id == ticket.client_id
        and other.topic == ticket.topic
        and other.opened_at < ticket.opened_at
        and ticket.opened_at - other.opened_at <= timedelta(days=30)
        for other in tickets
    )


# ----------------------------------------------------------------------------------------------------------- marts


def grouped(things: Iterable[Any], key: Callable[[Any], tuple]) -> dict[tuple, list[Any]]:
    groups: dict[tuple, list[Any]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return groups


def middle(values: list[Any]) -> float | None:
    """The interpolated median."""
    return float(median(values)) if values else None


def months_with_the_running_one(company: Company) -> list[date]:
    """AMBIGUOUS: on the first of a month there is no running month yet: no fact of it can exist."""
    months = list(company.months())
    if company.history_starts_on is not None:
        running = add_months(months[-1], 1) if months else first_of(company.history_starts_on)
        if running < company.as_of:
            months.append(running)
    return months


def service_monthly(company: Company) -> list[Row]:
    found = facts(company)
    months = set(months_with_the_running_one(company))
    targets = sla_targets(company)
    groups = grouped(found.tickets, lambda ticket: (first_of(ticket.opened_on), ticket.sla_class, ticket.queue))
    rows = []
    for (month, sla_class, queue), tickets in groups.items():
        if month not in months:
            continue
        response_target = targets.get((sla_class, "first_response"))
        resolution_target = targets.get((sla_class, "resolution"))
        asked = [ticket for ticket in tickets if ticket.opened_by == "client"]
        answered = [ticket for ticket in asked if first_response_at(ticket) is not None]
        solved = [ticket for ticket in tickets if ticket.resolutions]
        responses = [sla_state(found, ticket, first_response_at(ticket), response_target) for ticket in asked]
        resolutions = [sla_state(found, ticket, resolved_at(ticket), resolution_target) for ticket in tickets]

        def spent(some: list[Ticket]) -> float:
            return (
                sum(business_microseconds(found.calendar, ticket.opened_at, resolved_at(ticket)) for ticket in some)
                / MINUTE
            )

        managed = [ticket for ticket in solved if manager_on(found, ticket.client_id, ticket.opened_on) is not None]
        unmanaged = [ticket for ticket in solved if manager_on(found, ticket.client_id, ticket.opened_on) is None]
        assigned = {ticket.key: first_assigned_on(found, ticket.client_id) for ticket in solved}
        before = [each for each in solved if assigned[each.key] is not None and each.opened_on < assigned[each.key]]
        after = [each for each in solved if assigned[each.key] is not None and each.opened_on >= assigned[each.key]]
        rows.append(
            {
                "month": month,
                "sla_class": sla_class,
                "queue": queue,
                "tickets": len(tickets),
                "first_response_met": responses.count("met"),
                "first_response_breached": responses.count("breached"),
                "first_response_answered": len(answered),
                "resolution_met": resolutions.count("met"),
                "resolution_breached": resolutions.count("breached"),
                "median_first_response_minutes": middle(
                    [found.minutes(ticket.opened_at, first_response_at(ticket)) for ticket in answered]
                ),
                "median_resolution_minutes": middle(
                    [found.minutes(ticket.opened_at, resolved_at(ticket)) for ticket in solved]
                ),
                "reopened": sum(is_reopened(ticket) for ticket in tickets),
                "solved": len(solved),
                "with_manager_solved": len(managed),
                "with_manager_minutes": spent(managed),
                "without_manager_solved": len(unmanaged),
                "without_manager_minutes": spent(unmanaged),
                "before_manager_solved": len(before),
                "before_manager_minutes": spent(before),
                "after_manager_solved": len(after),
                "after_manager_minutes": spent(after),
                "is_final": is_final(company, month),
            }
        )
    return rows


def ticket_quality_monthly(company: Company) -> list[Row]:
    found = facts(company)
    months = set(company.months())
    groups = grouped(found.tickets, lambda ticket: (first_of(ticket.opened_on), ticket.queue))
    rows = []
    for (month, queue), tickets in groups.items():
        if month not in months:
            continue
        changes = [len(promise_changes(ticket)) for ticket in tickets]
        ages = [found.as_of_at - message.sent_at for ticket in tickets for message in unanswered(ticket)]
        quiet = [
            business_microseconds(found.calendar, start, end or found.as_of_at)
            for ticket in tickets
            for start, end in silences(ticket)
        ]
        rows.append(
            {
                "month": month,
                "queue": queue,
                "tickets": len(tickets),
                "promise_changes": sum(changes),
                "promise_changed_tickets": sum(count > 0 for count in changes),
                "reopened": sum(is_reopened(ticket) for ticket in tickets),
                "repeats_30d": sum(is_repeat(ticket, found.tickets_of[ticket.client_id]) for ticket in tickets),
                "in_a_row": sum(has_messages_in_a_row(ticket) for ticket in tickets),
                "longest_silence_hours": max(quiet) / MINUTE / 60,
                **{f"unanswered_{days}d": sum(age >= timedelta(days=days) for age in ages) for days in (1, 3, 7)},
            }
        )
    return rows


def feedback_monthly(company: Company) -> list[Row]:
    found = facts(company)
    months = set(company.months())
    rows = []
    for (month, kind), items in grouped(found.feedback, lambda item: (first_of(item.submitted_on), item.kind)).items():
        if month not in months:
            continue
        answers = [
            business_microseconds(found.calendar, item.submitted_at, item.answered_at)
            for item in items
            if item.answered_at is not None
        ]
        negative = [
            item
            for item in items
            if item.kind == "review" and item.is_public and item.score is not None and item.score <= 2
        ]
        acted_on = [item for item in items if item.acted_on_on is not None]
        rows.append(
            {
                "month": month,
                "kind": kind,
                "submitted": len(items),
                "answered_in_time": sum(spent <= WORKING_DAY_MINUTES * MINUTE for spent in answers),
                "unanswered": sum(item.answered_at is None for item in items),
                "negative_public": len(negative),
                "negative_public_unanswered": sum(item.answered_at is None for item in negative),
                "ignored": sum(
                    item.acted_on_on is None and item.submitted_on < company.as_of - timedelta(days=14)
                    for item in items
                ),
                "acted_on": len(acted_on),
                "median_days_to_action": middle([(item.acted_on_on - item.submitted_on).days for item in acted_on]),
                "median_answer_minutes": middle([spent / MINUTE for spent in answers]),
            }
        )
    return rows


def satisfaction(company: Company, items: list[Feedback]) -> Row:
    """The three parts of the index, each a mean of scores, and their mean weighted by the seed, of the parts there."""
    kinds = {row["part"]: Fraction(row["weight"]) for row in read_seed(company.folder, "satisfaction_weights")}
    weights = {part: kinds.get(kind, Fraction(0)) for part, kind in SATISFACTION_PARTS.items()}
    row: Row = {}
    means: dict[str, Fraction] = {}
    for part, kind in SATISFACTION_PARTS.items():
        scores = [item.score for item in items if item.kind == kind and item.score is not None]
        if scores:
            means[part] = sum((Fraction(score) for score in scores), Fraction(0)) / len(scores)
        row[f"{part}_mean"] = float(means[part]) if scores else None
        row[f"{part}_n"] = len(scores)
    total = sum((weights[part] for part in means), Fraction(0))
    row["satisfaction_index"] = None
    if total:
        index = sum((means[part] * weights[part] for part in means), Fraction(0)) / total
        row["satisfaction_index"] = float(Fraction(int(index * 1_000_000 + Fraction(1, 2)), 1_000_000))
    return row


def satisfaction_target(company: Company) -> float:
    return next(
        float(row["target"]) for row in read_seed(company.folder, "targets") if row["metric"] == "satisfaction_index"
    )


def satisfaction_monthly(company: Company) -> list[Row]:
    found = facts(company)
    target = satisfaction_target(company)
    segment_of = {client.client_id: client.segment for client in company.clients.values()}
    by_month = grouped(found.feedback, lambda item: (first_of(item.submitted_on),))
    rows = []
    for month in company.months():
        for segment in company.levels():
            items = [item for item in by_month.get((month,), []) if segment in ("all", segment_of[item.client_id])]
            scored = [
                item.score for item in items if item.kind in SATISFACTION_PARTS.values() and item.score is not None
            ]
            parts = satisfaction(company, items)
            index = parts["satisfaction_index"]
            rows.append(
                {
                    "month": month,
                    "segment": segment,
                    **parts,
                    "is_warning": None if index is None else index < target,
                    "scored_n": len(scored),
                    "csat_n": sum(score >= 4 for score in scored),
                }
            )
    return rows


def people_met(found: Facts, client_id: str, first: date, last: date) -> set[str]:
    """Known employees behind our messages and outbound contacts of the days `first` to `last`, both included."""
    met = {
        message.employee_id
        for ticket in found.tickets_of[client_id]
        for message in ticket.messages
        if message.is_ours and first <= message.sent_on <= last
    }
    met |= {
        contact.employee_id
        for contact in found.contacts_of[client_id]
        if contact.direction == "outbound" and first <= contact.occurred_on <= last
    }
    return met - {None}


def communication_monthly(company: Company) -> list[Row]:
    found = facts(company)
    changes = manager_changes(found)
    segment_of = {client.client_id: client.segment for client in company.clients.values()}
    own = {
        id(contact)
        for contact in found.contacts
        if contact.employee_id is not None
        and contact.employee_id == manager_on(found, contact.client_id, contact.occurred_on)
    }
    rows = []
    for month in company.months():
        last = last_day(month)
        first_of_90 = last - timedelta(days=89)
        present = [client.client_id for client in company.clients.values() if spell_on(client, last) is not None]
        people = {client_id: len(people_met(found, client_id, first_of_90, last)) for client_id in present}
        sent: dict[str, list[Mailing]] = {}
        for mailing in found.mailings:
            if first_of_90 <= mailing.sent_on <= last:
                sent.setdefault(mailing.client_id, []).append(mailing)
        silent = {
            client_id
            for client_id, mailings in sent.items()
            if not any(mailing.opened_on is not None and mailing.opened_on <= last for mailing in mailings)
        }
        contacts = [contact for contact in found.contacts if first_of(contact.occurred_on) == month]
        for segment in company.levels():

            def here(client_id: str, level: str = segment) -> bool:
                return level in ("all", segment_of[client_id])

            clients = [client_id for client_id in present if here(client_id)]
            ours = [contact for contact in contacts if here(contact.client_id)]
            rows.append(
                {
                    "month": month,
                    "segment": segment,
                    "clients": len(clients),
                    "people_met": sum(people[client_id] for client_id in clients),
                    "people_met_3plus": sum(people[client_id] >= 3 for client_id in clients),
                    "manager_changes": sum(
                        first_of(change.valid_from) == month and here(change.client_id) for change in changes
                    ),
                    "contacts": len(ours),
                    "contacts_by_own_manager": sum(id(contact) in own for contact in ours),
                    "upsell_contacts": sum(
                        contact.direction == "outbound" and contact.purpose == "upsell" for contact in ours
                    ),
                    "unsubscribed": len(
                        {
                            mailing.client_id
                            for mailing in found.mailings
                            if mailing.unsubscribed_on is not None
                            and first_of(mailing.unsubscribed_on) == month
                            and here(mailing.client_id)
                        }
                    ),
                    "mailing_silent": sum(client_id in silent for client_id in clients),
                }
            )
    return rows


def manager_monthly(company: Company) -> list[Row]:
    """AMBIGUOUS: `tickets` are all tickets of the manager's clients, whoever opened them."""
    found = facts(company)
    ticket_managers = {ticket.key: manager_on(found, ticket.client_id, ticket.opened_on) for ticket in found.tickets}
    feedback_managers = {item.key: manager_on(found, item.client_id, item.submitted_on) for item in found.feedback}
    rows = []
    for month in company.months():
        last = last_day(month)
        overlapping = [
            row
            for row in found.assignments
            if row.valid_from <= last and (row.valid_to is None or row.valid_to > month)
        ]
        for employee_id in sorted({row.employee_id for row in overlapping}):
            tickets = [
                ticket
                for ticket in found.tickets
                if first_of(ticket.opened_on) == month and ticket_managers[ticket.key] == employee_id
            ]
            items = [
                item
                for item in found.feedback
                if first_of(item.submitted_on) == month and feedback_managers[item.key] == employee_id
            ]
            parts = satisfaction(company, items)
            rows.append(
                {
                    "month": month,
                    "employee_id": employee_id,
                    "clients": len(
                        {row.client_id for row in overlapping if row.employee_id == employee_id and row.in_force(last)}
                    ),
                    "contacts": sum(
                        contact.employee_id == employee_id and first_of(contact.occurred_on) == month
                        for contact in found.contacts
                    ),
                    "tickets": len(tickets),
                    "median_first_response_minutes": middle(
                        [
                            found.minutes(ticket.opened_at, first_response_at(ticket))
                            for ticket in tickets
                            if first_response_at(ticket) is not None
                        ]
                    ),
                    "satisfaction_index": parts["satisfaction_index"],
                    "operator_n": parts["operator_n"],
                    "review_n": parts["review_n"],
                    "survey_n": parts["survey_n"],
                }
            )
    return rows


MARTS: dict[str, Any] = {
    "service_monthly": (service_monthly, ("month", "sla_class", "queue")),
    "ticket_quality_monthly": (ticket_quality_monthly, ("month", "queue")),
    "feedback_monthly": (feedback_monthly, ("month", "kind")),
    "satisfaction_monthly": (satisfaction_monthly, ("month", "segment")),
    "communication_monthly": (communication_monthly, ("month", "segment")),
    "manager_monthly": (manager_monthly, ("month", "employee_id")),
}


def compute_service(company: Company) -> dict[str, list[Row]]:
    """The marts of this family as rows."""
    return {name: build(company) for name, (build, _) in MARTS.items()}
