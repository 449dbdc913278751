"""What can be seen of the planned lives on a day: spells whose end is known, covers, and what happened to each client.

Whatever reads the truth of a day reads it from here: the plan, without what is not visible yet.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from demo.billing import SpellMoney
from demo.life import LAPSE_DAYS, Life, Spell
from demo.model import FIRST_DAY, Fact, day_number, day_of, midnight, to_date
from demo.money import per_month
from demo.plan import Plan
from demo.service import Story

ALL = "all"


@dataclass(slots=True)
class SeenSpell:
    """A spell as of a day: the end and its type only when they are known and past."""

    number: int
    started_on: int
    ended_on: int | None
    exit_type: str | None
    planned: Spell

    def covers(self, when: int) -> bool:
        """Whether the client is in the spell on a day."""
        return self.started_on <= when and (self.ended_on is None or when < self.ended_on)


@dataclass(slots=True)
class Cover:
    """A contract as of a day, with its price per month in kopecks."""

    started_on: int
    ended_on: int | None
    monthly: int


@dataclass(slots=True)
class Question:
    """A message of a client, and our first later one in the ticket."""

    sent_at: int
    answered_at: int | None


@dataclass
class SeenClient:
    """A client as of a day. `days` are the days of what happened to it, by kind, in order (see `_happened`)."""

    client_id: str
    segment: str
    life: Life
    spells: list[SeenSpell]
    covers: list[Cover]
    use_by_month: Counter[tuple[int, int]]
    days: dict[str, list[int]] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)

    def count(self, what: str, since: int, until: int) -> int:
        """How often something happened on the days from `since` until before `until`."""
        days = self.days.get(what, [])
        return bisect_left(days, until) - bisect_left(days, since)

    def spell_on(self, when: int) -> SeenSpell | None:
        """The spell that a day falls into."""
        return next((spell for spell in self.spells if spell.covers(when)), None)

    def last_exit(self, when: int) -> str | None:
        """The type of the last exit up to a day."""
        ended = [spell for spell in self.spells if spell.ended_on is not None and spell.ended_on <= when]
        return ended[-1].exit_type if ended else None

    def mrr(self, when: int) -> int:
        """Monthly revenue on a day, in kopecks: covering contracts, and the prepaid use of the last whole month."""
        if self.spell_on(when) is None:
            return 0
        live = [cover for cover in self.covers if cover.started_on <= when]
        contracts = sum(cover.monthly for cover in live if cover.ended_on is None or when < cover.ended_on)
        following = to_date(when + 1)
        last_whole = following.replace(day=1) - timedelta(days=1)
        return contracts + self.use_by_month[(last_whole.year, last_whole.month)]


def see(plan: Plan, today: int) -> list[SeenClient]:
    """Every client that a system shows by the end of the day before, with what happened to it."""
    clients = [_see(life, money, today) for life, money in zip(plan.lives, plan.money, strict=True)]
    _look_around(plan, clients, today)
    return clients


def _see(life: Life, money: list[SpellMoney], today: int) -> SeenClient:
    instant = midnight(today)
    client, segment = life.client, None
    if client.fact is not None and (seen := client.fact.seen_at(instant)) is not None:
        segment = seen[1][2]
    result = SeenClient(
        client_id=client.customer_no if client.fact is None else client.fact.key,
        segment=segment or "unknown",
        life=life,
        spells=[],
        covers=[],
        use_by_month=Counter(),
    )
    for spell, carried in zip(life.spells, money, strict=True):
        if spell.start >= today:
            break
        covers = list(_covers(carried, instant, today))
        last_operation = None
        for operation in carried.operations:
            seen = operation.seen_at(instant)
            if seen is None:
                continue
            _, _, kind, amount, _, occurred_at = seen[1]
            last_operation = day_of(occurred_at)
            if kind == "usage":
                month = to_date(last_operation)
                result.use_by_month[(month.year, month.month)] += amount
        ends = [cover.ended_on for cover in covers]
        if last_operation is not None:
            ends.append(last_operation + LAPSE_DAYS)
        ended_on = None if None in ends else max(ends)
        is_known = spell.known_from is not None and spell.known_from <= today
        if is_known and spell.is_cut:
            ended_on = spell.end
        if ended_on is not None and ended_on > today:
            ended_on = None
        # Between two contracts a client may look lost for some days, until the next one begins.
        exit_type = None if ended_on is None else (spell.exit_type if is_known else "lapsed")
        if is_known and ended_on != spell.end:
            raise AssertionError(f"the plan is at odds with itself: {client.customer_no}, spell {spell.number}")
        result.spells.append(SeenSpell(spell.number, spell.start, ended_on, exit_type, spell))
        # What a release, a dismissal or a closing cut stays cut when the client returns.
        for cover in covers:
            if ended_on is not None and (cover.ended_on is None or cover.ended_on > ended_on):
                cover.ended_on = ended_on
        result.covers += covers
    return result


def _covers(carried: SpellMoney, instant: int, today: int) -> Iterator[Cover]:
    for contract in carried.contracts:
        seen = contract.seen_at(instant)
        if seen is None:
            continue
        _, _, _, price, currency, period, started_on, ended_on, _, _ = seen[1]
        if started_on < today:
            yield Cover(started_on, ended_on, per_month(price, currency, period, started_on))


# What happened to them
def _look_around(plan: Plan, clients: list[SeenClient], today: int) -> None:
    """Fill in what happened to each client, as the systems show it."""
    instant, facts = midnight(today), plan.book.facts
    by_customer = {client.life.client.customer_no: client for client in clients}
    by_card = {client.life.client.fact: client for client in clients if client.life.client.fact is not None}
    days: dict[str, dict[str, list[int]]] = {client.client_id: {} for client in clients}

    def note(client: SeenClient, what: str, when: int) -> None:
        if when < today:
            days[client.client_id].setdefault(what, []).append(when)

    def shown(entity: str) -> Iterator[tuple[Fact, tuple]]:
        for fact in facts[entity]:
            if (seen := fact.seen_at(instant)) is not None:
                yield fact, seen[1]

    for line, (_, _, kind, _) in shown("invoice_lines"):
        if kind == "fee":
            _, customer, issued_at, *_ = line.versions[0][1][0].versions[0][1]
            note(by_customer[customer], "fee", day_of(issued_at))
    for _, (_, customer, _, _, _, _, disputed_at) in shown("invoices"):
        if disputed_at is not None:
            note(by_customer[customer], "dispute", day_of(disputed_at))
    for _, (_, customer, _, _, _, status, paid_at) in shown("payments"):
        if status == "failed":
            note(by_customer[customer], "failed_payment", day_of(paid_at))
    for _, (_, customer, asked_at, _, _, decision, decided_at) in shown("refunds"):
        if decision == "refused":
            note(by_customer[customer], "refund_refused", day_of(decided_at or asked_at))
    for _, (_, customer, kind, _, _, _, _, submitted_at, _, _) in shown("feedback"):
        note(by_customer[customer], kind, day_of(submitted_at))
    for _, (_, card, _, direction, _, purpose, occurred_at) in shown("contacts"):
        note(by_card[card], f"{direction} {purpose}", day_of(occurred_at))
    for _, (_, card, _, _, unsubscribed_at) in shown("mailings"):
        if unsubscribed_at is not None:
            note(by_card[card], "unsubscribed", day_of(unsubscribed_at))
    for client, carried, stories in zip(clients, plan.money, plan.tickets, strict=True):
        for assignment in client.life.managers[1:]:
            note(client, "manager_change", assignment.since)
        for money in carried:
            for when in money.rises:
                note(client, "price_rise", when)
        _hear(client, stories, instant, note)
    _ask(plan, clients, instant)
    for client in clients:
        client.days = {what: sorted(when) for what, when in days[client.client_id].items()}


def _is_linked(client: SeenClient, instant: int) -> bool:
    """Whether the help desk's number of a client is known to be its own; else its tickets are an unknown client's."""
    return any(
        seen[1][0] == "tickets" for link in client.life.client.links if (seen := link.seen_at(instant)) is not None
    )


def _hear(client: SeenClient, stories: list[Story], instant: int, note) -> None:
    if not _is_linked(client, instant):
        return
    for story in stories:
        if story.ticket.seen_at(instant) is None:
            continue
        for changed_at in story.promise_changes:
            note(client, "promise_change", day_of(changed_at))
        if story.reopened_at is not None:
            note(client, "reopened", day_of(story.reopened_at))


def _ask(plan: Plan, clients: list[SeenClient], instant: int) -> None:
    """Note the messages of clients that waited for an answer of ours."""
    said: dict[Fact, list[tuple[int, bool]]] = {}
    for fact in plan.book.facts["messages"]:
        _, ticket, author, _, sent_at = fact.versions[0][1]
        if author in ("client", "employee") and fact.seen_at(instant) is not None:
            said.setdefault(ticket, []).append((sent_at, author == "client"))
    for client, stories in zip(clients, plan.tickets, strict=True):
        if not _is_linked(client, instant):
            continue
        for story in stories:
            waiting: list[Question] = []
            for sent_at, is_clients in sorted(said.get(story.ticket, [])):
                if is_clients:
                    waiting.append(Question(sent_at, None))
                    client.asked.append(waiting[-1])
                    continue
                for question in waiting:
                    if question.sent_at < sent_at:
                        question.answered_at = sent_at
                waiting = [question for question in waiting if question.answered_at is None]


# Months and levels
def mature_months(today: int) -> list[tuple[date, int, int]]:
    """Month, opening edge, closing edge (days) of every month that is over."""
    months, first = [], to_date(FIRST_DAY).replace(day=1)
    while True:
        following = (first + timedelta(days=32)).replace(day=1)
        closing = day_number(following) - 1
        if closing >= today:
            return months
        months.append((first, day_number(first) - 1, closing))
        first = following


def month_of(when: int) -> str:
    """The first day of a day's month, as text."""
    return to_date(when).replace(day=1).isoformat()


def levels(client: SeenClient) -> tuple[str, str]:
    """The levels of segment in which a client counts."""
    return ALL, client.segment
