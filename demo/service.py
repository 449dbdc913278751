"""What the help desk and the personal cabinet write down: tickets, their events and messages, feedback."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log

from demo.company import Company, Person
from demo.life import Life, Spell, after_programme
from demo.model import (
    DAY_SECONDS,
    HORIZON,
    PROGRAMME_ON,
    Book,
    Fact,
    at,
    between,
    chance,
    day_of,
    midnight,
    pick,
    stream,
    to_date,
    weighted,
)
from demo.worktime import add_minutes, next_workday

QUEUES = {"Support": 0.5, "Delivery": 0.25, "Billing": 0.15, "Integrations": 0.1}
TOPICS = {
    "Support": ["delivery report", "account access", "template approval", "how to"],
    "Delivery": ["messages not delivered", "slow delivery", "sender name", "operator ban"],
    "Billing": ["invoice", "balance", "tariff", "closing documents"],
    "Integrations": ["API error", "CRM plug-in", "webhook"],
}
TICKETS_A_MONTH = 0.45
THIRD_PARTY_SHARE = {"Delivery": 0.55, "Support": 0.1, "Billing": 0.0, "Integrations": 0.15}

RESOLUTION_MINUTES = {"ours": 620.0, "third_party": 1_150.0}
"""Median business minutes from opening to solution without an account manager."""
MANAGER_SPEED_UP = 2.5
RESOLUTION_SPREAD = 0.7
FIRST_RESPONSE_MINUTES = (150.0, 95.0)
FIRST_RESPONSE_SPREAD = 1.0

SCORES = {
    "operator_rating": ({5: 0.50, 4: 0.27, 3: 0.12, 2: 0.06, 1: 0.05}, {5: 0.76, 4: 0.17, 3: 0.04, 2: 0.02, 1: 0.01}),
    "review": ({5: 0.45, 4: 0.25, 3: 0.12, 2: 0.09, 1: 0.09}, {5: 0.77, 4: 0.16, 3: 0.04, 2: 0.02, 1: 0.01}),
    "survey": ({5: 0.48, 4: 0.30, 3: 0.13, 2: 0.05, 1: 0.04}, {5: 0.74, 4: 0.20, 3: 0.04, 2: 0.01, 1: 0.01}),
}
"""Before and after the programme's first months; the index crosses 4.5 in between."""

HELPDESK_ONLY = {"opened", "taken", "note"}
"""Kinds of events and authors of messages that are in the help desk's tables and not in the canonical contract."""


@dataclass(slots=True)
class Story:
    """A ticket as it was meant: when a promise was changed, and when the ticket was reopened."""

    ticket: Fact
    promise_changes: list[int] = field(default_factory=list)
    reopened_at: int | None = None


def is_canonical(fact: Fact) -> bool:
    """Whether a fact is one of the canonical contract, not one that only the help desk keeps."""
    return fact.entity not in ("messages", "ticket_events") or fact.versions[0][1][2] not in HELPDESK_ONLY


def serve(company: Company, life: Life, book: Book) -> list[Story]:
    """Write the service side of a client's life; one story for each ticket."""
    rng = stream(company.seed, "service", life.client.number)
    stories: list[Story] = []
    for spell in life.spells:
        for when in _ticket_days(rng, spell):
            stories.append(_ticket(rng, company, life, spell, when, "", book))
        for what in ("unanswered", "promise_change"):
            for when in spell.days_of(what):
                stories.append(_ticket(rng, company, life, spell, when, what, book))
        _feedback(rng, life, spell, book)
    for when in life.nulls.get("reopened", []):
        stories.append(_ticket(rng, company, life, None, when, "reopened", book))
    return stories


def _ticket_days(rng, spell: Spell) -> list[int]:
    days, when = [], spell.start + rng.exponential(30 / TICKETS_A_MONTH)
    while when < min(spell.active_until, HORIZON - 20):
        days.append(int(when))
        when += rng.exponential(30 / TICKETS_A_MONTH)
    return days


def _opening(rng, when: int) -> int:
    if chance(rng, 0.85):
        return at(next_workday(when), between(rng, 9, 17), between(rng, 0, 59), between(rng, 0, 59))
    return at(when, between(rng, 7, 22), between(rng, 0, 59), between(rng, 0, 59))


def _agent(rng, company: Company, life: Life, when: int) -> Person:
    manager = life.manager_on(when)
    if manager is not None and chance(rng, 0.6):
        return manager
    return pick(rng, company.on_duty("Support", when))


class _Writer:
    """Writes one ticket: keeps its clock moving forward and links what is written to it."""

    def __init__(self, ticket: Fact, book: Book) -> None:
        self.ticket, self.book = ticket, book
        self.story = Story(ticket)
        self.written: list[Fact] = []

    def message(self, author: str, agent: Person | None, sent_at: int) -> None:
        login = agent.login if agent is not None and author in ("employee", "note") else None
        self.written.append(self.book.add("messages", sent_at, self.ticket, author, login, sent_at))

    def event(self, kind: str, agent: Person | None, happens_at: int, value: str | None = None) -> None:
        login = agent.login if agent is not None else None
        self.written.append(self.book.add("ticket_events", happens_at, self.ticket, kind, login, happens_at, value))


def _ticket(rng, company: Company, life: Life, spell: Spell | None, when: int, what: str, book: Book) -> Story:
    queue = weighted(rng, QUEUES)
    third_party = chance(rng, THIRD_PARTY_SHARE[queue])
    opened_at = _opening(rng, when)
    by_client = what != "" or chance(rng, 0.92)
    ticket = book.add(
        "tickets",
        opened_at,
        life.client.helpdesk_no,
        queue,
        pick(rng, TOPICS[queue]) if chance(rng, 0.95) else None,
        "third_party" if third_party else "ours",
        opened_at,
        "client" if by_client else "employee",
    )
    writer = _Writer(ticket, book)
    story = writer.story
    agent = _agent(rng, company, life, day_of(opened_at))
    speed = MANAGER_SPEED_UP if life.manager_on(day_of(opened_at)) is not None else 1.0
    median = RESOLUTION_MINUTES["third_party" if third_party else "ours"] / speed
    solves_after = exp(log(median) + RESOLUTION_SPREAD * rng.standard_normal())
    solved_at = max(add_minutes(opened_at, solves_after), opened_at + 300)
    answer_median = FIRST_RESPONSE_MINUTES[after_programme(when)]
    answers_after = min(exp(log(answer_median) + FIRST_RESPONSE_SPREAD * rng.standard_normal()), 0.8 * solves_after)
    answered_at = max(add_minutes(opened_at, answers_after), opened_at + 60)

    writer.message("client" if by_client else "employee", None if by_client else agent, opened_at)
    if by_client and chance(rng, 0.4):
        writer.message("auto", None, opened_at + 5)
    # What only the help desk itself knows: see HELPDESK_ONLY.
    writer.event("opened", None if by_client else agent, opened_at)
    writer.event("owner_changed", agent, opened_at + 40)
    writer.event("taken", agent, opened_at + 41)
    if chance(rng, 0.15):
        writer.message("note", agent, opened_at + 45)
    if what == "unanswered":
        _leave_unanswered(rng, writer, agent, answered_at, solves_after, speed, spell)
        return story
    writer.message("employee", agent, answered_at)
    clock = answered_at
    while clock < solved_at and chance(rng, 0.35):
        clock = add_minutes(clock, 20 + 200 * rng.random())
        if clock >= solved_at:
            break
        writer.message("client", None, clock)
        if chance(rng, 0.12):
            writer.message("client", None, clock + 900 if clock + 900 < solved_at else clock + 1)
        clock = add_minutes(clock, 10 + 150 * rng.random())
        writer.message("employee", agent, min(clock, solved_at))
    _promises(rng, writer, agent, answered_at, solved_at, what)
    if chance(rng, 0.1):
        agent = pick(rng, company.on_duty("Support", day_of(solved_at)))
        writer.event("owner_changed", agent, max(solved_at - 120, opened_at + 50))
    # Nearly all end with our word; a rating may follow.
    if chance(rng, 0.9):
        writer.message("employee", agent, solved_at)
    _finish(rng, writer, agent, solved_at, what)
    _rate(rng, life, ticket, agent, solved_at, book)
    if chance(rng, 0.02):
        _throw_away(rng, writer, solved_at)
    return story


def _leave_unanswered(
    rng, writer: _Writer, agent: Person, answered_at: int, solves_after: float, speed: float, spell: Spell
) -> None:
    """The client's last message gets no answer; most such tickets are closed in silence."""
    clock = writer.ticket.versions[0][0]
    if chance(rng, 0.4):
        writer.message("employee", agent, answered_at)
        clock = add_minutes(answered_at, (30 + 400 * rng.random()) / speed)
        writer.message("client", None, clock)
    for _ in range(between(rng, 0, 2)):
        clock = add_minutes(clock, (180 + 360 * rng.random()) / speed)
        if day_of(clock) < spell.active_until:
            writer.message("client", None, clock)
    if chance(rng, 0.75):
        writer.event("closed", agent, add_minutes(clock, solves_after) + 60)


def _promises(rng, writer: _Writer, agent: Person, answered_at: int, solved_at: int, what: str) -> None:
    if what != "promise_change" and not chance(rng, 0.25):
        return
    promised_on = next_workday(day_of(solved_at) if chance(rng, 0.7) else day_of(answered_at) + 1)
    writer.event("promise_changed", agent, answered_at + 30, to_date(promised_on).isoformat())
    if what != "promise_change":
        return
    clock = answered_at + 30
    for _ in range(1 + chance(rng, 0.4)):
        clock = min(add_minutes(clock, 60 + 300 * rng.random()), max(solved_at - 30, clock + 60))
        promised_on = next_workday(promised_on + between(rng, 1, 4))
        writer.event("promise_changed", agent, clock, to_date(promised_on).isoformat())
        writer.story.promise_changes.append(clock)


def _finish(rng, writer: _Writer, agent: Person, solved_at: int, what: str) -> None:
    if chance(rng, 0.75):
        writer.event("solved", agent, solved_at)
        over_at = solved_at + 3 * DAY_SECONDS
    else:
        over_at = solved_at + 1
    if what == "reopened":
        again_at = add_minutes(solved_at, 120 + 900 * rng.random())
        writer.event("closed", agent, max(solved_at + 1, min(over_at, again_at - 120)))
        writer.message("client", None, again_at)
        writer.event("reopened", agent, again_at + 1)
        writer.story.reopened_at = again_at + 1
        writer.message("employee", agent, add_minutes(again_at, 30 + 200 * rng.random()))
        over_at = add_minutes(again_at, 400 + 800 * rng.random())
    writer.event("closed", agent, over_at)


def _throw_away(rng, writer: _Writer, solved_at: int) -> None:
    """A junk ticket is deleted with everything in it."""
    gone_at = solved_at + between(rng, 4, 30) * DAY_SECONDS
    for fact in (writer.ticket, *writer.written):
        fact.vanishes_at = gone_at


# Feedback
def _score(rng, kind: str, instant: int) -> int:
    before, after = SCORES[kind]
    # Habits change over the programme's first half year, so the index climbs rather than jumps.
    share = min(max((instant - midnight(PROGRAMME_ON)) / (150 * DAY_SECONDS), 0.0), 1.0)
    return weighted(rng, after if chance(rng, share) else before)


def _rate(rng, life: Life, ticket: Fact, agent: Person, solved_at: int, book: Book) -> None:
    if not chance(rng, 0.3):
        return
    submitted_at = solved_at + between(rng, 600, 2 * DAY_SECONDS)
    rating = _write_feedback(
        life, "operator_rating", _score(rng, "operator_rating", submitted_at), False, ticket, agent, submitted_at, book
    )
    if ticket.vanishes_at is not None:
        rating.vanishes_at = max(ticket.vanishes_at, submitted_at + 1)


def _write_feedback(
    life: Life,
    kind: str,
    score: int | None,
    is_public: bool,
    ticket: Fact | None,
    agent: Person | None,
    submitted_at: int,
    book: Book,
) -> Fact:
    login = agent.login if agent is not None else None
    customer = life.client.customer_no
    return book.add("feedback", submitted_at, customer, kind, score, is_public, ticket, login, submitted_at, None, None)


def _feedback(rng, life: Life, spell: Spell, book: Book) -> None:
    for when in spell.days_of("complaint"):
        submitted_at = at(when, between(rng, 8, 21), between(rng, 0, 59))
        fact = _write_feedback(life, "complaint", None, False, None, None, submitted_at, book)
        _react(rng, fact, submitted_at)
    when = spell.start + rng.exponential(60)
    while when < min(spell.active_until, HORIZON - 30):
        kind = weighted(rng, {"survey": 0.62, "review": 0.18, "idea": 0.1, "praise": 0.1})
        submitted_at = at(int(when), between(rng, 8, 21), between(rng, 0, 59), between(rng, 0, 59))
        score = _score(rng, kind, submitted_at) if kind in SCORES else None
        is_public = kind == "review" and chance(rng, 0.8)
        fact = _write_feedback(life, kind, score, is_public, None, None, submitted_at, book)
        if kind in ("review", "idea"):
            _react(rng, fact, submitted_at)
        elif chance(rng, 0.003):
            fact.vanishes_at = submitted_at + between(rng, 2, 20) * DAY_SECONDS
        when += rng.exponential(60)


def _react(rng, fact: Fact, submitted_at: int) -> None:
    """Answers come, and something is done about it, more often and sooner once the programme runs."""
    phase = after_programme(day_of(submitted_at))
    answered_at = None
    if chance(rng, (0.65, 0.92)[phase]):
        answered_at = max(add_minutes(submitted_at, rng.exponential((500, 200)[phase])), submitted_at + 60)
        fact.change(answered_at, answered_at=answered_at)
    if chance(rng, (0.35, 0.75)[phase]):
        acted_at = (answered_at or submitted_at) + between(rng, 1, (40, 14)[phase]) * DAY_SECONDS
        fact.change(acted_at, acted_on_at=acted_at)
