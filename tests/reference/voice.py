"""The marts of voice, win-back and the client's whole life, computed in plain Python from the definitions page.

An oracle like model.py: naive on purpose, no code shared with the product. `AMBIGUOUS:` marks a place where the page
can be read in two ways, with the reading taken here.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.reference import model, service
from tests.reference.model import Client, Company, Spell
from tests.reference.reading import ENTITIES, Row, local_day, read_seed, round_money

DAYS_PER_MONTH = 30.4375
NOT_WON_BACK = ("dismissed", "dissolved")


# ----------------------------------------------------------------------------------------------------------- facts


@dataclass
class Invoice:
    issued_on: date
    disputed_on: date | None
    lines: list[tuple[str, Decimal]] = field(default_factory=list)  # kind, amount in company currency


@dataclass
class Rise:
    """A paid contract that began at a higher price per month than the paid contract it followed."""

    started_on: date
    before: Decimal
    after: Decimal


@dataclass
class Life:
    """What the CRM and billing know of one client beyond its covers."""

    has_consent: bool = False
    contacts: list[service.Contact] = field(default_factory=list)
    mailings: list[service.Mailing] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    rises: list[Rise] = field(default_factory=list)

    def lines(self, kind: str) -> list[tuple[date, Decimal]]:
        """(day issued, amount) of the lines of a kind."""
        return [
            (invoice.issued_on, amount) for invoice in self.invoices for what, amount in invoice.lines if what == kind
        ]

    def outbound(self, purpose: str, first: date = date.min, last: date = date.max) -> list[service.Contact]:
        """Our contacts of a purpose on the days first..last, both included, in order of time."""
        found = [
            contact
            for contact in self.contacts
            if contact.direction == "outbound" and contact.purpose == purpose and first <= contact.occurred_on <= last
        ]
        return sorted(found, key=lambda contact: contact.occurred_at)


def lives(company: Company) -> dict[str, Life]:
    """client_id → its Life; computed once per company."""
    if not hasattr(company, "_lives"):
        company._lives = read_lives(company)
    return company._lives


def read_lives(company: Company) -> dict[str, Life]:
    config, tables = company.config, company.tables
    zone, as_of = config.zone, config.as_of
    links = model.identity_map(tables)
    found = {client_id: Life() for client_id in company.clients}

    def day_of(moment: datetime | None) -> date | None:
        """The local day; None for what has not happened yet."""
        day = None if moment is None else local_day(moment, zone)
        return None if day is None or day >= as_of else day

    def life_of(entity: str, row: Row) -> Life | None:
        key = row["client_key"]
        domain = ENTITIES[entity].domain
        return found.get(key if domain == "crm" else links.get((domain, key), key))

    for row in tables["clients"].rows:
        if row["client_key"] in found:
            found[row["client_key"]].has_consent = row["marketing_consent"] is True
    facts = service.facts(company)
    for contact in facts.contacts:
        found[contact.client_id].contacts.append(contact)
    for mailing in facts.mailings:
        found[mailing.client_id].mailings.append(mailing)
    invoices: dict[str, tuple[Invoice, Row]] = {}
    for row in tables["invoices"].rows:
        on, life = day_of(row["issued_at"]), life_of("invoices", row)
        if on is not None and life is not None:
            invoice = Invoice(on, day_of(row["disputed_at"]))
            life.invoices.append(invoice)
            invoices[row["invoice_key"]] = invoice, row
    for row in tables["invoice_lines"].rows:
        if row["invoice_key"] in invoices:
            invoice, parent = invoices[row["invoice_key"]]
            rate = config.rate(parent["currency"], invoice.issued_on)
            invoice.lines.append((row["kind"], round_money(Fraction(row["amount"]) * rate)))
    for client in company.clients.values():
        found[client.client_id].rises = price_rises(client, company)
    return found


def price_rises(client: Client, company: Company) -> list[Rise]:
    """Rises of the price per month; an end in the future cannot lie before a start that has happened."""
    paid = [row for row in client.contracts if row["price"] > 0 and not row["is_trial"]]
    rises = []
    for contract in paid:
        earliest = contract["started_on"] - timedelta(days=company.config.grace_days)
        before = [
            other
            for other in paid
            if other is not contract
            and other["ended_on"] is not None
            and earliest <= other["ended_on"] <= contract["started_on"]
        ]
        if not before:
            continue
        followed = max(before, key=lambda row: (row["ended_on"], row["started_on"], row["contract_key"]))
        old, new = (model.monthly_price(row, company.config) for row in (followed, contract))
        if new > old:
            rises.append(Rise(contract["started_on"], old, new))
    return rises


@dataclass
class Fix:
    owner_department: str
    planned_on: date | None
    fixed_on: date | None  # None when fixed on or after as_of: that has not happened yet


def fixes(company: Company) -> dict[str, Fix]:
    """reason → the fix that speaks for it: the latest plan; ties by the latest fix, then the greatest key."""
    chosen: dict[str, tuple[Any, Fix]] = {}
    for row in company.tables["reason_fixes"].rows:
        fixed_on = row["fixed_on"]
        if fixed_on is not None and fixed_on >= company.as_of:
            fixed_on = None
        rank = (row["planned_on"] or date.min, fixed_on or date.min, row["fix_key"])
        reason = row["reason_code"]
        if reason not in chosen or rank > chosen[reason][0]:
            chosen[reason] = rank, Fix(row["owner_department"], row["planned_on"], fixed_on)
    return {reason: fix for reason, (_, fix) in chosen.items()}


@dataclass
class Exit:
    """One closed spell, with what the marts ask of it."""

    client: Client
    spell: Spell
    reason: str
    returned_on: date | None  # the start of the next spell

    @property
    def on(self) -> date:
        return self.spell.end

    @property
    def type(self) -> str:
        return self.spell.exit_type

    @property
    def month(self) -> date:
        return model.first_of(self.on)


def exits(company: Company) -> list[Exit]:
    """Every exit there has been; computed once per company."""
    if not hasattr(company, "_exits"):
        company._exits = []
        for client in company.clients.values():
            for spell in client.spells:
                if spell.is_closed:
                    following = model.next_spell(client, spell)
                    reason = model.exit_reason(client, spell, company.config)
                    company._exits.append(Exit(client, spell, reason, following.start if following else None))
    return company._exits


def mrr_lost(each: Exit, company: Company) -> Decimal:
    return model.mrr_on(each.client, each.on - timedelta(days=1), company.config)


def in_segment(client: Client, segment: str) -> bool:
    return segment in ("all", client.segment)


def median(values: Iterable[Any]) -> float | None:
    """The interpolated median; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[middle])
    return float(Fraction(ordered[middle - 1] + ordered[middle]) / 2)


# ----------------------------------------------------------------------------------------------------------- voice


def exit_reasons(company: Company) -> list[Row]:
    months = set(company.months())
    owners = {row["reason_code"]: row["owner_department"] for row in read_seed(company.folder, "reason_codes")}
    fix_of = fixes(company)
    groups: dict[tuple, list[Exit]] = defaultdict(list)
    for each in exits(company):
        if each.month in months:
            for segment in (each.client.segment, "all"):
                groups[each.month, each.reason, segment, model.defector(each.type)].append(each)
    rows = []
    for (month, reason, segment, defector), here in groups.items():
        fix = fix_of.get(reason)
        planned_on = fix.planned_on if fix else None
        fixed_on = fix.fixed_on if fix else None
        rows.append(
            {
                "month": month,
                "reason_code": reason,
                "segment": segment,
                "defector": defector,
                "exits": len(here),
                "mrr_lost": sum((mrr_lost(each, company) for each in here), model.ZERO),
                "owner_department": fix.owner_department if fix else owners.get(reason),
                "planned_on": planned_on,
                "fixed_on": fixed_on,
                "is_overdue": planned_on is not None and planned_on < company.as_of and fixed_on is None,
            }
        )
    return rows


def interview_response(company: Company) -> list[Row]:
    """By month of invitation; a running month shows what is mature in it, months before history do not exist."""
    zone, as_of = company.config.zone, company.as_of
    groups: dict[tuple, list[bool]] = defaultdict(list)
    if company.history_starts_on is None:
        return []
    for client in company.clients.values():
        for interview in client.interviews:
            invited_on = local_day(interview["invited_at"], zone)
            if invited_on + timedelta(days=14) >= as_of or invited_on < model.first_of(company.history_starts_on):
                continue
            answered_on = None if interview["answered_at"] is None else local_day(interview["answered_at"], zone)
            is_answered = answered_on is not None and (answered_on - invited_on).days <= 14
            defector = "none"
            for spell in client.spells:
                following = model.next_spell(client, spell)
                until = following.start if following else model.NEVER
                if spell.is_closed and spell.start <= invited_on < until:
                    defector = model.defector(spell.exit_type)
            groups[model.first_of(invited_on), defector].append(is_answered)
    return [
        {"month": month, "defector": defector, "invited": len(answers), "answered": sum(answers)}
        for (month, defector), answers in groups.items()
    ]


def leavers(company: Company, reason: str, fixed_on: date) -> list[Exit]:
    """Who left for a reason before it was fixed, and was not back before that."""
    return [
        each
        for each in exits(company)
        if each.reason == reason and each.on <= fixed_on and (each.returned_on is None or each.returned_on >= fixed_on)
    ]


def fixed_reasons(company: Company) -> list[tuple[date, str, date]]:
    """(month of the fix, reason, day of the fix) of the reasons fixed in a mature month."""
    months = set(company.months())
    return [
        (model.first_of(fix.fixed_on), reason, fix.fixed_on)
        for reason, fix in fixes(company).items()
        if fix.fixed_on is not None and model.first_of(fix.fixed_on) in months
    ]


def loop_monthly(company: Company) -> list[Row]:
    life_of = lives(company)
    rows = []
    for month, reason, fixed_on in fixed_reasons(company):
        here = leavers(company, reason, fixed_on)
        rows.append(
            {
                "month": month,
                "reason_code": reason,
                "leavers": len(here),
                "told": sum(bool(life_of[each.client.client_id].outbound("fix_notice", fixed_on)) for each in here),
                "invited": sum(bool(life_of[each.client.client_id].outbound("invitation", fixed_on)) for each in here),
                "returned": sum(each.returned_on is not None for each in here),
            }
        )
    return rows


def refusals(client: Client, company: Company) -> list[date]:
    """Days on which a refund was refused; a refusal without a date counts on the day of the request."""
    config = company.config
    return [
        local_day(refund["decided_at"] or refund["requested_at"], config.zone)
        for refund in client.refunds
        if model.known_decision(refund, config) == "refused"
    ]


def precedents(each: Exit, company: Company) -> dict[str, bool]:
    """What happened in the 90 days before an exit; the day of the exit is not among them."""
    life = lives(company)[each.client.client_id]
    first, last = each.on - timedelta(days=90), each.on - timedelta(days=1)

    def within(day: date | None) -> bool:
        return day is not None and first <= day <= last

    return {
        "with_fee": any(within(day) for day, _ in life.lines("fee")),
        "with_price_rise": any(within(rise.started_on) for rise in life.rises),
        "with_dispute": any(within(invoice.disputed_on) for invoice in life.invoices),
        "with_refusal": any(within(day) for day in refusals(each.client, company)),
        "with_upsell": len(life.outbound("upsell", first, last)) >= 3,
        "with_unsubscription": any(within(mailing.unsubscribed_on) for mailing in life.mailings),
    }


def exit_precedents(company: Company) -> list[Row]:
    columns = ("with_fee", "with_price_rise", "with_dispute", "with_refusal", "with_upsell", "with_unsubscription")
    found = [(each, precedents(each, company)) for each in exits(company)]
    rows = []
    for month in company.months():
        for segment in company.levels():
            here = [flags for each, flags in found if each.month == month and in_segment(each.client, segment)]
            counts = {column: sum(flags[column] for flags in here) for column in columns}
            rows.append({"month": month, "segment": segment, "exits": len(here), **counts})
    return rows


# -------------------------------------------------------------------------------------------------------- win back


def win_back_clients(company: Company) -> list[Row]:
    life_of, fix_of = lives(company), fixes(company)
    rows = []
    for client in company.clients.values():
        own = [each for each in exits(company) if each.client is client]
        if not own:
            continue
        last = own[-1]
        life = life_of[client.client_id]
        fix = fix_of.get(last.reason)
        fixed_on = fix.fixed_on if fix and fix.fixed_on is not None and fix.fixed_on >= last.on else None
        until = date.max if last.returned_on is None else last.returned_on - timedelta(days=1)
        invitations = life.outbound("invitation", fixed_on or last.on, until)
        rows.append(
            {
                "client_id": client.client_id,
                "exit_type": last.type,
                "ended_on": last.on,
                "reason_code": last.reason,
                "fixed_on": fixed_on,
                "mrr_lost": mrr_lost(last, company),
                "consent": life.has_consent,
                "invited_at": invitations[0].occurred_at if invitations else None,
                "returned_on": last.returned_on,
                "is_to_invite": fixed_on is not None
                and not invitations
                and last.returned_on is None
                and life.has_consent
                and last.type not in NOT_WON_BACK
                and client.closed_at is None,
            }
        )
    return rows


@dataclass
class Attempt:
    """One lost client of a cohort: what was tried until when, and the day from which a return is counted."""

    each: Exit
    month: date
    landmark: date
    contacts: list[service.Contact]

    def returned_within(self, days: int) -> bool:
        back = self.each.returned_on
        return back is not None and (back - self.landmark).days <= days


def attempts(company: Company, kind: str) -> list[Attempt]:
    life_of, found = lives(company), []
    if kind == "win_back":
        months = set(company.months())
        for each in exits(company):
            landmark = each.on + timedelta(days=30)
            is_back = each.returned_on is not None and each.returned_on <= landmark
            if each.type == "lapsed" and each.month in months and not is_back and landmark < company.as_of:
                contacts = life_of[each.client.client_id].outbound("win_back", each.on, landmark)
                found.append(Attempt(each, each.month, landmark, contacts))
        return found
    for month, reason, fixed_on in fixed_reasons(company):
        for each in leavers(company, reason, fixed_on):
            if each.type in NOT_WON_BACK:
                continue
            until = date.max if each.returned_on is None else each.returned_on - timedelta(days=1)
            contacts = life_of[each.client.client_id].outbound("invitation", fixed_on, until)
            found.append(Attempt(each, month, fixed_on, contacts))
    return found


def year_after(day: date) -> date:
    """The same day a year on; 29 February becomes 28."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 1, day=28)


def revenue_by_day(client: Client, company: Company) -> list[tuple[date, Decimal]]:
    """Succeeded payments, and paid refunds as negative amounts, by the day they count on."""
    config = company.config
    found = []
    for payment in client.payments:
        if payment["status"] == "succeeded":
            day = local_day(payment["paid_at"], config.zone)
            found.append((day, model.converted(payment, day, config)))
    for refund in client.refunds:
        if model.known_decision(refund, config) == "paid":
            day = local_day(refund["decided_at"] or refund["requested_at"], config.zone)
            found.append((day, -model.converted(refund, day, config)))
    return found


def months_in_spells(client: Client, first: date, end: date) -> set[date]:
    """Calendar months with any day of [first, end) in a spell."""
    months = set()
    day = first
    while day < end:
        if model.spell_on(client, day):
            months.add(model.first_of(day))
            day = model.add_months(model.first_of(day), 1)
        else:
            day += timedelta(days=1)
    return months


def unit_costs(company: Company) -> dict[str, Fraction]:
    return {row["activity"]: Fraction(row["unit_cost"]) for row in read_seed(company.folder, "unit_costs")}


def win_back_results(company: Company) -> list[Row]:
    costs, rows = unit_costs(company), []
    for kind in ("win_back", "invitation"):
        wait = 30 if kind == "win_back" else 0
        by_month: dict[date, list[Attempt]] = defaultdict(list)
        for attempt in attempts(company, kind):
            by_month[attempt.month].append(attempt)
        for month, here in by_month.items():
            tried = [attempt for attempt in here if attempt.contacts]
            left = [attempt for attempt in here if not attempt.contacts]

            def is_mature(days: int, month: date = month, wait: int = wait) -> bool:
                return model.last_day(month) + timedelta(days=wait + days) < company.as_of

            revenue, client_months = Fraction(0), 0
            for attempt in tried:
                back = attempt.each.returned_on
                if not attempt.returned_within(365):
                    continue
                end = min(year_after(back), company.as_of)
                client = attempt.each.client
                revenue += sum(Fraction(amount) for day, amount in revenue_by_day(client, company) if back <= day < end)
                client_months += len(months_in_spells(client, back, end))
            cost = sum(
                (costs.get(contact.channel, Fraction(0)) for attempt in tried for contact in attempt.contacts),
                Fraction(0),
            )
            row = {"month": month, "kind": kind, "contacted": len(tried), "uncontacted": len(left)}
            for prefix, group in (("", tried), ("uncontacted_", left)):
                for suffix, days in (("", 365), ("_90d", 90)):
                    returned = sum(attempt.returned_within(days) for attempt in group)
                    row[f"{prefix}returned{suffix}"] = returned if is_mature(days) else None
            # AMBIGUOUS: rounded once per row, not per client.
            row["cost"] = round_money(cost)
            row["margin_back"] = round_money(Fraction(company.config.margin_share) * revenue)
            row["margin_months"] = client_months
            rows.append(row)
    return rows


# ----------------------------------------------------------------------------------------------------- whole lives


def client_360(company: Company) -> list[Row]:
    as_of, config = company.as_of, company.config
    life_of, costs = lives(company), unit_costs(company)
    status = {row["client_id"]: row for row in model.dim_clients(company)}
    facts = service.facts(company)
    rows = []
    for client in company.clients.values():
        life, zone = life_of[client.client_id], config.zone
        tenure_days = sum(spell.tenure_days(as_of) for spell in client.spells)
        succeeded = [payment for payment in client.payments if payment["status"] == "succeeded"]
        paid_on = [local_day(payment["paid_at"], zone) for payment in succeeded]
        paid = [model.converted(payment, day, config) for payment, day in zip(succeeded, paid_on, strict=True)]
        decisions = [(refund, model.known_decision(refund, config)) for refund in client.refunds]
        refunded = sum((-amount for _, amount in revenue_by_day(client, company)), Decimal(0)) + sum(paid, Decimal(0))
        tickets = facts.tickets_of[client.client_id]
        messages = sum(message.is_ours for ticket in tickets for message in ticket.messages)
        feedback = [row for row in facts.feedback if row.client_id == client.client_id]
        scores = [Fraction(row.score) for row in feedback if row.score is not None]
        cost = len(tickets) * costs.get("ticket", Fraction(0)) + messages * costs.get("message", Fraction(0))
        cost += sum((costs.get(contact.channel, Fraction(0)) for contact in life.contacts), Fraction(0))
        revenue = model.lifetime_revenue(client, config)
        cost_to_serve = round_money(cost)
        rows.append(
            {
                "client_id": client.client_id,
                "segment": client.segment,
                "status": status[client.client_id]["status"],
                "first_started_on": client.spells[0].start if client.spells else None,
                "tenure_days": tenure_days,
                "spells": len(client.spells),
                "mrr": status[client.client_id]["mrr"],
                "lifetime_revenue": revenue,
                "payments": len(paid),
                "average_payment": round_money(sum(map(Fraction, paid)) / len(paid)) if paid else None,
                "payments_per_month": len(paid) / (tenure_days / DAYS_PER_MONTH) if tenure_days else None,
                "last_paid_on": max(paid_on, default=None),
                "failed_payments": len(client.payments) - len(succeeded),
                "refunds_asked": len(decisions),
                "refunds_paid": sum(decision == "paid" for _, decision in decisions),
                "refunds_refused": sum(decision == "refused" for _, decision in decisions),
                "refunded_amount": refunded,
                "discounts": abs(sum((amount for _, amount in life.lines("discount")), model.ZERO)),
                "fees": sum((amount for _, amount in life.lines("fee")), model.ZERO),
                "disputes": sum(invoice.disputed_on is not None for invoice in life.invoices),
                "tickets": len(tickets),
                "complaints": sum(row.kind == "complaint" for row in feedback),
                "contacts": len(life.contacts),
                "satisfaction_mean": float(sum(scores) / len(scores)) if scores else None,
                "satisfaction_n": len(scores),
                "cost_to_serve": cost_to_serve,
                "margin": round_money(Fraction(config.margin_share) * Fraction(revenue) - Fraction(cost_to_serve)),
            }
        )
    return rows


def tenure_value(company: Company) -> list[Row]:
    months: Counter = Counter()
    people: dict[tuple, set[str]] = defaultdict(set)
    revenue: dict[tuple, Decimal] = defaultdict(lambda: model.ZERO)
    for client in company.clients.values():
        amounts = revenue_by_day(client, company)
        for month in company.months():
            days = (month + timedelta(days=number) for number in range((model.last_day(month) - month).days + 1))
            if not any(model.spell_on(client, day) for day in days):
                continue
            first = model.first_of(client.spells[0].start)
            year = ((month.year - first.year) * 12 + month.month - first.month) // 12
            for segment in (client.segment, "all"):
                months[year, segment] += 1
                people[year, segment].add(client.client_id)
                revenue[year, segment] += sum(
                    (amount for day, amount in amounts if model.first_of(day) == month), model.ZERO
                )
    return [
        {
            "tenure_year": year,
            "segment": segment,
            "clients": len(people[year, segment]),
            "client_months": count,
            "revenue": revenue[year, segment],
        }
        for (year, segment), count in months.items()
    ]


def handover_monthly(company: Company) -> list[Row]:
    life_of, rows = lives(company), []
    for month in company.months():
        is_mature = model.last_day(month) + timedelta(days=45) < company.as_of
        for segment in company.levels():
            delays: list[int] = []
            started = late = due = done = 0
            for client in model.of_segment(company, segment):
                if not client.spells or model.first_of(client.spells[0].start) != month:
                    continue
                spell, life = client.spells[0], life_of[client.client_id]
                started += 1
                touched = [
                    contact.occurred_on
                    for purpose in ("service", "welcome")
                    for contact in life.outbound(purpose, spell.start)
                ]
                delay = (min(touched) - spell.start).days if touched else None
                if delay is not None:
                    delays.append(delay)
                late += delay is None or delay > 14
                if spell.ended_on is None or spell.ended_on > spell.start + timedelta(days=45):
                    due += 1
                    first, last = spell.start + timedelta(days=20), spell.start + timedelta(days=45)
                    done += bool(life.outbound("welcome", first, last))
            rows.append(
                {
                    "month": month,
                    "segment": segment,
                    "started": started,
                    "median_days_to_contact": median(delays) if is_mature else None,
                    "without_contact_14d": late if is_mature else None,
                    "welcome_due": due if is_mature else None,
                    "welcome_done": done if is_mature else None,
                    "is_mature": is_mature,
                }
            )
    return rows


# ------------------------------------------------------------------------------------------------- before and after


def newcombe(before: tuple[int, int], after: tuple[int, int]) -> tuple[float, float]:
    """Newcombe's hybrid score interval of after − before, both as (successes, n)."""
    share_before, share_after = before[0] / before[1], after[0] / after[1]
    low_before, high_before = model.wilson(*before)
    low_after, high_after = model.wilson(*after)
    change = share_after - share_before
    low = change - math.sqrt((share_after - low_after) ** 2 + (high_before - share_before) ** 2)
    high = change + math.sqrt((high_after - share_after) ** 2 + (share_before - low_before) ** 2)
    return low, high


def programme_effect(company: Company) -> list[Row]:
    months = set(company.months())

    def total(rows: list[Row], year: list[date], column: str) -> int | None:
        values = [row[column] for row in rows if row["month"] in year]
        return None if None in values else sum(values)

    everyone = [row for row in model.churn_monthly(company) if row["segment"] == "all"]
    returns = [
        row
        for row in model.return_rates(company)
        if row["segment"] == "all" and row["handling"] == "all" and row["window_days"] == 90
    ]
    starts = [row for row in model.first_100_days(company) if row["segment"] == "all"]
    tickets = service.service_monthly(company)

    def attained(prefix: str, year: list[date]) -> tuple[int, int]:
        met = total(tickets, year, f"{prefix}_met")
        return met, met + total(tickets, year, f"{prefix}_breached")

    def counts(metric: str, year: list[date]) -> tuple[int, int] | None:
        """(numerator, denominator) of a metric over twelve months; None while one of them is not there."""
        if not set(year) <= months:
            return None
        if metric == "churn_rate":
            return total(everyone, year, "churned_clients"), total(everyone, year, "opening_clients")
        if metric == "regretted_churn_rate":
            return total(everyone, year, "regretted_churned_clients"), total(everyone, year, "opening_clients")
        if metric == "annual_churn_rate":
            last = next(row for row in everyone if row["month"] == max(year))
            return None if last["opening_12m"] is None else (last["churned_12m"], last["opening_12m"])
        if metric == "return_rate_90":
            if not all(row["is_mature"] for row in returns if row["month"] in year):
                return None
            return total(returns, year, "returned"), total(returns, year, "mature_releases")
        if metric == "first_100_days_churn":
            if not all(row["is_mature"] for row in starts if row["month"] in year):
                return None
            return total(starts, year, "churned_within_100"), total(starts, year, "started")
        return attained(metric.removesuffix("_attainment"), year)

    rows = []
    for event in read_seed(company.folder, "dated_events"):
        event_on = date.fromisoformat(event["event_on"])
        if event_on >= company.as_of:
            continue
        month = model.first_of(event_on)
        first_after = month if event_on == month else model.add_months(month, 1)
        years = {
            "before": [model.add_months(month, -number) for number in range(1, 13)],
            "after": [model.add_months(first_after, number) for number in range(12)],
        }
        for metric in (
            "churn_rate",
            "regretted_churn_rate",
            "annual_churn_rate",
            "return_rate_90",
            "first_100_days_churn",
            "first_response_attainment",
            "resolution_attainment",
        ):
            row: Row = {"event_on": event_on, "event_name": event["event_name"], "metric": metric}
            found = {}
            for side, year in years.items():
                pair = counts(metric, year)
                row[f"{side}_numerator"], row[f"{side}_denominator"] = pair or (None, None)
                row[side] = pair[0] / pair[1] if pair and pair[1] else None
                found[side] = pair
            row["change"] = row["ci_low"] = row["ci_high"] = None
            if row["before"] is not None and row["after"] is not None:
                row["change"] = row["after"] - row["before"]
                row["ci_low"], row["ci_high"] = newcombe(found["before"], found["after"])
            rows.append(row)
    return rows


MARTS: dict[str, Any] = {
    "exit_reasons": (exit_reasons, ("month", "reason_code", "segment", "defector")),
    "interview_response": (interview_response, ("month", "defector")),
    "loop_monthly": (loop_monthly, ("month", "reason_code")),
    "exit_precedents": (exit_precedents, ("month", "segment")),
    "win_back_clients": (win_back_clients, ("client_id",)),
    "win_back_results": (win_back_results, ("month", "kind")),
    "client_360": (client_360, ("client_id",)),
    "tenure_value": (tenure_value, ("tenure_year", "segment")),
    "handover_monthly": (handover_monthly, ("month", "segment")),
    "programme_effect": (programme_effect, ("event_on", "event_name", "metric")),
}
