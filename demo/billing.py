"""What billing writes down: contracts, prepaid operations, invoices, payments, refunds.

Contracts of a spell follow one another without a break of more than the grace days, nothing new begins once the client
has asked to leave, and the last one ends as the planned exit wants it: by its own end, or open and cut by a release,
a dismissal or the closing of the legal entity. Prepaid operations never pause for `lapse_days`, except at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from demo.company import SIZE_PRICE, Client, Company
from demo.life import GRACE_DAYS, LAPSE_DAYS, Life, Spell
from demo.model import (
    DAY_SECONDS,
    FIRST_DAY,
    HORIZON,
    Book,
    Fact,
    at,
    between,
    chance,
    day_of,
    midnight,
    stream,
    weighted,
)
from demo.money import per_month

PLANS = {"Start": 290_000, "Business": 790_000, "Pro": 2_150_000}
"""Kopecks per month for a small client."""
PERIODS = {"month": 0.55, "quarter": 0.24, "year": 0.13, "week": 0.08}
TERM_DAYS = {"quarter": 91, "year": 365}
BILLING_STEP = {"week": 30, "month": 30, "quarter": 91, "year": 365}
PRICE_FACTOR = {"week": 12 / 52, "month": 1.0, "quarter": 2.85, "year": 10.6}
RENEWED_LATE = 0.1
FOREIGN_PERIODS = {"quarter": 0.6, "year": 0.2, "month": 0.2}
"""Renewed often, so that the rate moves between two contracts of the same price."""
USUAL_RATE = {"RUB": 1, "USD": 75, "EUR": 80}
ROUBLE_PLANS = {"Trial", "Free", "Add-on"}
END_REASONS = {"lapsed": "expired", "payment_failure": "non_payment", "dismissed": "dismissed", "released": "request"}


@dataclass(slots=True)
class SpellMoney:
    """The facts that carry a spell: what covers it and what is used."""

    contracts: list[Fact]
    operations: list[Fact]
    rises: list[int] = field(default_factory=list)
    """The days on which a contract began at a higher price per month than the one it followed."""


def bill(company: Company, life: Life, book: Book) -> list[SpellMoney]:
    """Write the billing of a client's life; one SpellMoney for each spell."""
    rng = stream(company.seed, "billing", life.client.number)
    money = []
    for spell in life.spells:
        previous = life.spells[spell.number - 2] if spell.number > 1 else None
        carried = SpellMoney([], [])
        if spell.kind != "prepaid":
            before = [contract for earlier in money for contract in earlier.contracts]
            carried.contracts = _contracts(rng, life, spell, previous, before, carried.rises, book)
            _invoices(rng, life, spell, carried.contracts, book)
        if spell.kind != "contract":
            carried.operations = _operations(rng, life, spell, book)
        _refunds(rng, life, spell, book)
        _odds_and_ends(rng, life, spell, book)
        money.append(carried)
    _null_signals(rng, life, book)
    return money


# Contracts
def _contracts(
    rng, life: Life, spell: Spell, previous: Spell | None, before: list[Fact], risen_on: list[int], book: Book
) -> list[Fact]:
    currency = life.client.currency
    plan = weighted(rng, {"Start": 0.4, "Business": 0.4, "Pro": 0.2})
    period = weighted(rng, PERIODS if currency == "RUB" else FOREIGN_PERIODS)
    monthly = PLANS[plan] * SIZE_PRICE[life.client.size_band] * (0.9 + 0.2 * rng.random())
    price = _not_dearer(
        round(monthly * PRICE_FACTOR[period] / USUAL_RATE[currency]), period, life.client, spell, before
    )
    rises = [when for when in spell.days_of("price_rise") if when > spell.start]
    written: list[Fact] = []
    start, seen_at = spell.start, _signed_at(rng, spell, previous)
    while True:
        ends_on, is_rise = None, False
        if period in TERM_DAYS:
            ends_on = start + TERM_DAYS[period]
        upcoming = [when for when in rises if when > start and (ends_on is None or when <= ends_on)]
        if upcoming:
            ends_on, is_rise = upcoming[0], True
        # The last contract: it runs into the exit (or beyond the horizon).
        if ends_on is None or ends_on + GRACE_DAYS >= spell.settled_until:
            written.append(_last_contract(rng, life, spell, (plan, price, period, start), seen_at, book))
            break
        written.append(_contract(life, (plan, price, period, start, ends_on, "expired", False), seen_at, book))
        was = per_month(price, currency, period, start)
        start, seen_at = ends_on, at(ends_on - between(rng, 1, 12), 12, between(rng, 0, 59))
        if is_rise:
            price = round(price * (1.1 + 0.25 * rng.random()))
        elif chance(rng, RENEWED_LATE):
            start = ends_on + between(rng, 1, GRACE_DAYS)
            seen_at = at(start, 10, between(rng, 0, 59))
        elif currency == "RUB" and chance(rng, 0.08):
            price = round(price * 0.93)
        if per_month(price, currency, period, start) > was:
            risen_on.append(start)
        seen_at = max(seen_at, written[-1].versions[0][0] + 60)
    if chance(rng, 0.14):
        written += _second_contract(rng, life, spell, written, book)
    return written


def _not_dearer(price: int, period: str, client: Client, spell: Spell, before: list[Fact]) -> int:
    """Who comes back soon gets no higher price than it had: a return is not a price rise."""
    had = []
    for contract in before:
        _, _, _, paid, currency, paid_period, start, end, _, _ = contract.versions[-1][1]
        if end is not None and end >= spell.start - 40:
            had.append(per_month(paid, currency, paid_period, start))
    now = per_month(price, client.currency, period, spell.start)
    return price if not had or now <= min(had) else price * min(had) // (now + 1)


def _contract(life: Life, terms: tuple, seen_at: int, book: Book) -> Fact:
    plan, price, period, start, end, reason, is_trial = terms
    currency = "RUB" if plan in ROUBLE_PLANS else life.client.currency
    return book.add(
        "contracts", seen_at, life.client.customer_no, plan, price, currency, period, start, end, reason, is_trial
    )


def _signed_at(rng, spell: Spell, previous: Spell | None) -> int:
    """Contracts are entered some days ahead, but nobody signs before having left."""
    ahead = between(rng, 0, 10)
    if previous is not None:
        ahead = min(ahead, 1, spell.start - previous.end - 1)
    return at(spell.start - ahead, 11, between(rng, 0, 59))


def _closing(rng, spell: Spell) -> tuple[int | None, str | None, int | None]:
    """The end, the reason and the instant of writing of the contracts that run into a spell's exit."""
    if spell.end is None:
        return None, None, None
    written_at = at(spell.known_from - 1, between(rng, 9, 18), between(rng, 0, 59))
    reason = END_REASONS.get(spell.exit_type)
    if spell.exit_type == "lapsed":
        # Known beforehand: the contract is set to run out, and does.
        return spell.end, reason, at(max(spell.end - between(rng, 1, 20), spell.start), 19)
    if not spell.is_cut:
        return spell.end, reason, written_at
    # Cut by paperwork in the CRM: billing closes on the day, at the end of the paid month, or forgets.
    habit = weighted(rng, {"same day": 0.6, "paid month": 0.25, "never": 0.15})
    if habit == "never":
        return None, None, None
    return spell.end + (between(rng, 1, 25) if habit == "paid month" else 0), reason, written_at


def _last_contract(rng, life: Life, spell: Spell, terms: tuple, seen_at: int, book: Book) -> Fact:
    contract = _contract(life, (*terms, None, None, False), seen_at, book)
    ends_on, reason, written_at = _closing(rng, spell)
    if written_at is not None:
        contract.change(written_at, ended_on=ends_on, end_reason=reason)
    return contract


def _second_contract(rng, life: Life, spell: Spell, main: list[Fact], book: Book) -> list[Fact]:
    """A contract beside the main one: its end alone is a contraction, not an exit.

    It neither begins after an end nor ends before a beginning of the main ones, or one would seem to follow the other.
    """
    terms_of_main = [contract.versions[0][1] for contract in main]
    start = spell.start + between(rng, 40, 200)
    while any(end is not None and end <= start <= end + GRACE_DAYS for *_, end, _, _ in terms_of_main):
        start += 1
    if start >= spell.settled_until - 20:
        return []
    price = round(PLANS["Start"] * SIZE_PRICE[life.client.size_band] * (0.8 + 0.4 * rng.random()))
    terms = ("Add-on", price, "month", start)
    seen_at = at(start - between(rng, 0, 5), 15, between(rng, 0, 59))
    ends_on = start + between(rng, 60, 400)
    while any(ends_on <= begin <= ends_on + GRACE_DAYS for *_, begin, _, _, _ in terms_of_main):
        ends_on += 1
    if ends_on >= spell.settled_until - 1:
        return [_last_contract(rng, life, spell, terms, seen_at, book)]
    contract = _contract(life, (*terms, None, None, False), seen_at, book)
    contract.change(at(ends_on - 1, 17), ended_on=ends_on, end_reason=weighted(rng, {"request": 0.7, "expired": 0.3}))
    return [contract]


def _odds_and_ends(rng, life: Life, spell: Spell, book: Book) -> None:
    """Rows that carry no spell: trials, free contracts, contracts entered by mistake, free use."""
    if spell.number == 1 and spell.start - 14 >= FIRST_DAY and chance(rng, 0.25):
        price = 0 if chance(rng, 0.7) else 99_000
        trial = ("Trial", price, "month", spell.start - 14, spell.start, "expired", True)
        _contract(life, trial, at(spell.start - 14, 10), book)
    if spell.end is not None and chance(rng, 0.06):
        free = ("Free", 0, "month", spell.end, None, None, False)
        _contract(life, free, at(spell.end + 1, 10), book)
    if chance(rng, 0.01):
        written_on = spell.start + between(rng, 20, 300)
        mistake = ("Business", 790_000, "month", written_on + 90, None, None, False)
        _contract(life, mistake, at(written_on, 13), book).vanishes_at = at(written_on + between(rng, 2, 20), 16)
    if spell.end is not None and spell.kind == "prepaid" and chance(rng, 0.05):
        free_at = at(spell.end + 5, 14)
        book.add("prepaid_events", free_at, life.client.customer_no, "usage", 0, "RUB", free_at)


# The prepaid account
def _operations(rng, life: Life, spell: Spell, book: Book) -> list[Fact]:
    last_day = HORIZON
    if spell.end is not None:
        last_day = spell.end - 1
        if not spell.is_cut:
            # A contract's own end counts only if no prepaid cover reaches it.
            last_day = spell.end - LAPSE_DAYS - (spell.kind == "both")
    scale = SIZE_PRICE[life.client.size_band] * (0.5 + rng.random())
    written: list[Fact] = []
    when, gap = spell.start, 0
    while when <= last_day:
        kind = "top_up" if when == spell.start or chance(rng, 0.25) else "usage"
        amount = round((180_000 if kind == "top_up" else 70_000) * scale * (0.6 + 0.8 * rng.random()))
        happens_at = at(when, between(rng, 8, 20), between(rng, 0, 59), between(rng, 0, 59))
        is_late = 0 < gap <= 20 and when < last_day and chance(rng, 0.02)
        seen_at = happens_at + between(rng, 1, 3) * DAY_SECONDS if is_late else happens_at
        written.append(book.add("prepaid_events", seen_at, life.client.customer_no, kind, amount, "RUB", happens_at))
        if kind == "top_up":
            book.add("payments", happens_at, life.client.customer_no, None, amount, "RUB", "succeeded", happens_at)
        if when == last_day:
            break
        gap = between(rng, 45, 84) if chance(rng, 0.03) else between(rng, 4, 20)
        is_final_silence = spell.kind == "prepaid" and spell.exit_type == "lapsed"
        when = min(when + gap, last_day) if is_final_silence else when + gap
    return written


# Invoices and payments
def _invoices(rng, life: Life, spell: Spell, contracts: list[Fact], book: Book) -> None:
    stops_paying_on = spell.end - 45 if spell.exit_type == "payment_failure" else None
    issued: list[Fact] = []
    for contract in contracts:
        _, _, _, price, currency, period, start, own_end, _, _ = contract.versions[-1][1]
        until = min(own_end or HORIZON, spell.end or HORIZON)
        amount = price * 4 if period == "week" else price
        when = start
        while when < until:
            issued_at = at(when, 9, between(rng, 0, 59))
            issued.append(_invoice(rng, life, issued_at, amount, currency, "subscription", book))
            _payment(rng, life, issued[-1], stops_paying_on, book)
            when += BILLING_STEP[period]
    for when in spell.days_of("failed_payment"):
        before = [invoice for invoice in issued if invoice.versions[0][0] < midnight(when)]
        if before:
            _write_payment(life, before[-1], "failed", at(when, 13, between(rng, 0, 59)), 0, book)


def _null_signals(rng, life: Life, book: Book) -> None:
    """Fees and disputes, on invoices of their own: clients without contracts have them as often as those with."""
    for when in life.nulls.get("fee", []):
        issued_at = at(when, 12, between(rng, 0, 59))
        _payment(
            rng, life, _invoice(rng, life, issued_at, between(rng, 30_000, 250_000), "RUB", "fee", book), None, book
        )
    for when in life.nulls.get("dispute", []):
        issued_at = at(when - between(rng, 1, 10), 15, between(rng, 0, 59))
        invoice = _invoice(rng, life, issued_at, between(rng, 50_000, 400_000), "RUB", "usage", book)
        disputed_at = at(when, 14, between(rng, 0, 59))
        invoice.change(disputed_at, disputed_at=disputed_at)
        _payment(rng, life, invoice, None, book)


def _invoice(rng, life: Life, issued_at: int, amount: int, currency: str, kind: str, book: Book) -> Fact:
    discount = -round(amount * 0.05) if kind == "subscription" and chance(rng, 0.1) else 0
    invoice = book.add(
        "invoices",
        issued_at,
        life.client.customer_no,
        issued_at,
        issued_at + 14 * DAY_SECONDS,
        amount + discount,
        currency,
        None,
    )
    lines = [book.add("invoice_lines", issued_at, invoice, 1, kind, amount)]
    if discount:
        lines.append(book.add("invoice_lines", issued_at, invoice, 2, "discount", discount))
    if chance(rng, 0.01):
        # Issued twice; the double is deleted with its lines.
        gone_at = issued_at + between(rng, 2, 15) * DAY_SECONDS
        twin = book.add("invoices", issued_at + 60, *invoice.versions[0][1][1:])
        doubles = [book.add("invoice_lines", issued_at + 60, twin, *line.versions[0][1][1:]) for line in lines]
        for fact in (twin, *doubles):
            fact.vanishes_at = gone_at
    return invoice


def _payment(rng, life: Life, invoice: Fact, stops_paying_on: int | None, book: Book) -> None:
    issued_at = invoice.versions[0][0]
    paid_at = issued_at + between(rng, 3_600, 20 * DAY_SECONDS)
    if stops_paying_on is not None and day_of(paid_at) >= stops_paying_on:
        for attempt in range(between(rng, 1, 3)):
            tried_at = issued_at + (3 + 5 * attempt) * DAY_SECONDS
            _write_payment(life, invoice, "failed", tried_at, 0, book)
        return
    if chance(rng, 0.03):
        return
    late = between(rng, 1, 2) * DAY_SECONDS if chance(rng, 0.03) else 0
    _write_payment(life, invoice, "succeeded", paid_at, late, book)
    if chance(rng, 0.015):
        double = _write_payment(life, invoice, "succeeded", paid_at + 30, 0, book)
        double.vanishes_at = paid_at + between(rng, 3, 20) * DAY_SECONDS


def _write_payment(life: Life, invoice: Fact, status: str, paid_at: int, late: int, book: Book) -> Fact:
    amount, currency = invoice.versions[0][1][4:6]
    return book.add("payments", paid_at + late, life.client.customer_no, invoice, amount, currency, status, paid_at)


# Refunds
def _refunds(rng, life: Life, spell: Spell, book: Book) -> None:
    for kind, decision in (("refund_refused", "refused"), ("refund_paid", "paid")):
        for when in spell.days_of(kind):
            asked_at, decided_at = at(when - 5, 11, between(rng, 0, 59)), at(when, 16, between(rng, 0, 59))
            _write_refund(rng, life, asked_at, decision, decided_at, book)
    release = spell.release
    if release is not None and release.refund_asked_at is not None:
        _write_refund(rng, life, release.refund_asked_at, release.refund_decision, release.refund_decided_at, book)


def _write_refund(rng, life: Life, asked_at: int, decision: str | None, decided_at: int | None, book: Book) -> None:
    amount = between(rng, 50_000, 900_000)
    refund = book.add("refunds", asked_at, life.client.customer_no, asked_at, amount, "RUB", None, None)
    if decision is not None:
        refund.change(decided_at, decision=decision, decided_at=decided_at)
