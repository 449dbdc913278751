"""What the CRM writes down: deals, contacts, managers, requests to leave, dismissals, interviews, fixes, mailings."""

from __future__ import annotations

from demo.company import Company, Person, close_card
from demo.life import Interview, Life, Spell, after_programme
from demo.model import (
    DAY_SECONDS,
    HORIZON,
    PROGRAMME_ON,
    Book,
    Fact,
    at,
    between,
    chance,
    day,
    day_of,
    pick,
    stream,
    weighted,
)

REASONS = {
    "unresponsive_support": 0.16,
    "price_and_fees": 0.18,
    "ignored_feedback": 0.06,
    "broken_promises": 0.08,
    "rigid_policy": 0.06,
    "impersonal_treatment": 0.06,
    "quality": 0.09,
    "privacy": 0.02,
    "not_adapting": 0.04,
    "rude_communication": 0.03,
    "untrained_staff": 0.03,
    "outage_miscommunication": 0.03,
    "over_selling": 0.03,
    "too_many_contacts": 0.03,
    "contradictory_information": 0.04,
    "competitor_offer": 0.1,
    "business_closed": 0.03,
    "other": 0.04,
}
REASON_OF_EXPERIENCE = {
    "unanswered": "unresponsive_support",
    "price_rise": "price_and_fees",
    "promise_change": "broken_promises",
    "refund_refused": "rigid_policy",
    "manager_change": "impersonal_treatment",
    "complaint": "ignored_feedback",
}
# reason, owner, planned, planned again (or None), fixed (or None). Dates follow the programme; the last are overdue.
FIXES = (
    ("unresponsive_support", "Support", (2024, 2, 1), None, (2024, 2, 20)),
    ("price_and_fees", "Billing", (2024, 3, 1), (2024, 6, 1), (2024, 6, 10)),
    ("broken_promises", "Account management", (2024, 4, 1), None, (2024, 3, 25)),
    ("rigid_policy", "Billing", (2024, 3, 15), None, (2024, 4, 2)),
    ("impersonal_treatment", "Account management", (2024, 1, 15), None, (2024, 1, 12)),
    ("ignored_feedback", "Management", (2024, 9, 1), (2025, 2, 1), (2025, 2, 17)),
    ("quality", "Engineering", (2025, 3, 1), (2025, 9, 1), None),
    ("contradictory_information", "Support", (2025, 5, 1), None, (2025, 6, 3)),
    ("not_adapting", "Engineering", (2025, 11, 1), None, None),
    ("over_selling", "Sales", (2026, 2, 1), None, (2026, 3, 5)),
    ("outage_miscommunication", "Engineering", (2026, 4, 1), None, (2026, 4, 20)),
    ("unresponsive_support", "Support", (2026, 6, 1), None, None),
)
INVITED_SHARE = (0.55, 0.9)
ANSWER_RATE = {"active": 0.30, "passive": 0.18, "none": 0.10}
MAILING_GAP_DAYS = 60


def manage(company: Company, life: Life, book: Book) -> None:
    """Write the CRM side of a client's life (nothing for a client the CRM does not know)."""
    client = life.client
    if client.fact is None:
        return
    rng = stream(company.seed, "crm", client.number)
    seller = pick(rng, company.on_duty("Sales", client.arrives_on))
    _deals(rng, life, seller, book)
    for place, spell in enumerate(life.spells):
        comes_back_on = life.spells[place + 1].start if place + 1 < len(life.spells) else HORIZON
        _contacts(rng, company, life, spell, seller, book)
        _requests(rng, life, spell, book)
        if spell.end is not None:
            _exit(rng, company, life, spell, book)
            reason = _interview(rng, life, spell, comes_back_on, book)
            _after_exit(rng, company, life, spell, comes_back_on, reason, book)
    _upsell(rng, company, life, book)
    for assignment in life.managers:
        _assign(life, assignment.person, "account_manager", assignment.since, assignment.until, book)
    if life.closed_after_leaving_on is not None:
        close_card(client, life.closed_after_leaving_on)
    _mailings(rng, life, book)


def plan_fixes(book: Book) -> None:
    """Write which department fixes which reason, until when, and when it did."""
    for reason, owner, planned, again, fixed in FIXES:
        planned_on = day(*planned)
        fact = book.add("reason_fixes", at(max(planned_on - 60, PROGRAMME_ON), 10), reason, owner, planned_on, None)
        if again is not None:
            fact.change(at(planned_on + 1, 10), planned_on=day(*again))
        if fixed is not None:
            fact.change(at(day(*fixed), 18), fixed_on=day(*fixed))


# Selling
def _deals(rng, life: Life, seller: Person, book: Book) -> None:
    client = life.client
    registered_at = client.fact.versions[0][0]
    amount = between(rng, 2_000_000, 60_000_000)
    deal = book.add(
        "deals", registered_at + 3_600, client.fact, seller.login, "open", amount, "RUB", registered_at + 3_600, None
    )
    decided_at = at(client.arrives_on, 9, between(rng, 0, 59))
    if life.spells:
        deal.change(decided_at, stage="won", closed_at=decided_at)
        _assign(life, seller, "sales", day_of(registered_at), client.arrives_on + 30, book)
    elif chance(rng, 0.8):
        lost_at = decided_at + between(rng, 5, 90) * DAY_SECONDS
        deal.change(lost_at, stage="lost", closed_at=lost_at)
    for spell in life.spells:
        if chance(rng, 0.25):
            created_at = at(spell.start + between(rng, 60, 300), 12, between(rng, 0, 59))
            if day_of(created_at) < spell.settled_until:
                extra = book.add(
                    "deals", created_at, client.fact, seller.login, "open", amount // 3, "RUB", created_at, None
                )
                closed_at = created_at + between(rng, 5, 60) * DAY_SECONDS
                extra.change(closed_at, stage=weighted(rng, {"won": 0.4, "lost": 0.6}), closed_at=closed_at)


def _assign(life: Life, person: Person, role: str, since: int, until: int | None, book: Book) -> None:
    fact = book.add("manager_assignments", at(since, 9, 30), life.client.fact, person.login, role, since, None)
    if until is not None:
        fact.change(at(until, 9, 30), valid_to=until)


# Talking
def _contact(
    rng, life: Life, person: Person | None, direction: str, purpose: str, when: int, book: Book, channel: str = ""
) -> Fact:
    happens_at = at(when, between(rng, 9, 18), between(rng, 0, 59), between(rng, 0, 59))
    logged_late = between(rng, 1, 5) * DAY_SECONDS if chance(rng, 0.05) else 0
    fact = book.add(
        "contacts",
        happens_at + logged_late,
        life.client.fact,
        person.login if person is not None else None,
        direction,
        channel or weighted(rng, {"call": 0.5, "email": 0.3, "chat": 0.15, "meeting": 0.05}),
        purpose,
        happens_at,
    )
    if chance(rng, 0.02):
        fact.vanishes_at = fact.versions[0][0] + between(rng, 2, 30) * DAY_SECONDS
    return fact


def _contacts(rng, company: Company, life: Life, spell: Spell, seller: Person, book: Book) -> None:
    def ours(when: int) -> Person:
        manager = life.manager_on(when)
        return manager if manager is not None and chance(rng, 0.8) else pick(rng, company.on_duty("Support", when))

    for _ in range(between(rng, 1, 3)):
        when = spell.start - between(rng, 1, 5)
        if spell.number == 1 and seller.works_on(when):
            _contact(rng, life, seller, "outbound", "sales", when, book)
    phase = after_programme(spell.start)
    if chance(rng, (0.7, 0.95)[phase]):
        when = spell.start + between(rng, 1, (30, 9)[phase])
        if when < spell.active_until:
            _contact(rng, life, ours(when), "outbound", "service", when, book)
    if spell.number == 1 and chance(rng, (0.3, 0.85)[phase]):
        when = spell.start + between(rng, 24, 38)
        if when < spell.active_until:
            _contact(rng, life, ours(when), "outbound", "welcome", when, book, channel="call")
    when = spell.start + rng.exponential(45)
    while when < min(spell.active_until, HORIZON - 5):
        direction = "outbound" if chance(rng, 0.6) else "inbound"
        person = ours(int(when)) if chance(rng, 0.95) else None
        purpose = weighted(rng, {"service": 0.85, "other": 0.15})
        _contact(rng, life, person, direction, purpose, int(when), book)
        when += rng.exponential(45)


def _upsell(rng, company: Company, life: Life, book: Book) -> None:
    for first in life.nulls.get("upsell", []):
        for when in range(first, first + 6 * between(rng, 1, 3), 6):
            person = pick(rng, company.on_duty("Sales", when))
            _contact(rng, life, person, "outbound", "upsell", when, book)


# Leaving
def _requests(rng, life: Life, spell: Spell, book: Book) -> None:
    """Requests that led nowhere, and one entered by mistake now and then."""
    when = spell.start + 30 + rng.exponential(900)
    if when < spell.settled_until - 30:
        requested_at = at(int(when), 12, between(rng, 0, 59))
        _request(rng, life, requested_at, weighted(rng, {"retained": 0.6, "withdrawn": 0.4}), 5, chance(rng, 0.5), book)
    if chance(rng, 0.01):
        asked_at = at(spell.start + between(rng, 10, 60), 15)
        if day_of(asked_at) < spell.settled_until:
            mistake = book.add("termination_requests", asked_at, life.client.fact, asked_at, None, None, False, None)
            mistake.vanishes_at = asked_at + between(rng, 1, 12) * DAY_SECONDS


def _request(rng, life: Life, requested_at: int, outcome: str, days: int, bonus: bool, book: Book) -> None:
    completed_at = requested_at + between(rng, 1, days) * DAY_SECONDS
    fact = book.add("termination_requests", requested_at, life.client.fact, requested_at, None, None, False, None)
    fact.change(completed_at, outcome=outcome, completed_at=completed_at, bonus_offered=bonus)


def _exit(rng, company: Company, life: Life, spell: Spell, book: Book) -> None:
    client, release = life.client, spell.release
    if release is not None and release.requested_at is not None:
        asked = book.add(
            "termination_requests", release.requested_at, client.fact, release.requested_at, None, None, False, None
        )
        asked.change(
            release.completed_at,
            outcome="released",
            completed_at=release.completed_at,
            bonus_offered=release.bonus_offered,
            obstacle=release.obstacle,
        )
    if spell.exit_type == "dismissed" and not spell.is_in_billing_only:
        dismissed_at = at(spell.end, between(rng, 10, 17), between(rng, 0, 59))
        reason = weighted(rng, {"illegal_use": 0.4, "abuse": 0.2, "blackmail": 0.15, "unprofitable": 0.25})
        head = next(person for person in company.people if person.is_head and person.department == "Management")
        book.add("dismissals", dismissed_at, client.fact, dismissed_at, reason, head.login)
        if chance(rng, 0.15):
            # The client asked to leave as well, and was let go the same day: still a dismissal.
            asked_at = at(max(spell.end - 2, spell.start), 10)
            asked = book.add("termination_requests", asked_at, client.fact, asked_at, None, None, False, None)
            done_at = at(spell.end, 18, 30)
            asked.change(done_at, outcome="released", completed_at=done_at)
    if spell.exit_type == "dissolved":
        close_card(client, spell.end)


def _interview(rng, life: Life, spell: Spell, comes_back_on: int, book: Book) -> str | None:
    """Invite the leaver to say why; returns the reason if it answers."""
    if spell.exit_type == "dissolved":
        return None
    defector = {"released": "active", "lapsed": "passive", "payment_failure": "passive"}.get(spell.exit_type, "none")
    share = INVITED_SHARE[after_programme(spell.end)] * (0.3 if defector == "none" else 1.0)
    invited_on = spell.end + between(rng, 1, 10)
    if not chance(rng, share) or invited_on >= min(comes_back_on, HORIZON - 30):
        return None
    invited_at = at(invited_on, 11, between(rng, 0, 59))
    channel = weighted(rng, {"email": 0.6, "call": 0.3, "chat": 0.1})
    spell.interview = Interview(invited_at)
    interview = book.add("exit_interviews", invited_at, life.client.fact, invited_at, channel, None, None, None)
    if not chance(rng, ANSWER_RATE[defector]):
        return None
    wait = between(rng, 0, 13) if chance(rng, 0.93) else between(rng, 16, 40)
    answered_at = max(at(invited_on + wait, 16, between(rng, 0, 59)), invited_at + 1_800)
    reason = _reason(rng, spell)
    spell.interview.answered_at, spell.interview.reason = answered_at, reason
    interview.change(
        answered_at,
        answered_at=answered_at,
        reason_code=reason,
        would_return=weighted(rng, {True: 0.4, False: 0.3, None: 0.3}),
    )
    return reason


def _reason(rng, spell: Spell) -> str:
    felt = [what for what, when in spell.experiences if when >= spell.end - 180 and what in REASON_OF_EXPERIENCE]
    if felt and chance(rng, 0.7):
        return REASON_OF_EXPERIENCE[pick(rng, felt)]
    return weighted(rng, REASONS)


def _after_exit(
    rng, company: Company, life: Life, spell: Spell, comes_back_on: int, reason: str | None, book: Book
) -> None:
    if spell.is_called:
        when = spell.end + between(rng, 2, 28)
        _contact(rng, life, pick(rng, company.on_duty("Sales", when)), "outbound", "win_back", when, book, "call")
    if reason is None:
        return
    fixed = [day(*fix[4]) for fix in FIXES if fix[0] == reason and fix[4] is not None and day(*fix[4]) > spell.end]
    if not fixed:
        return
    told_on = fixed[0] + between(rng, 3, 30)
    if told_on < min(comes_back_on, HORIZON - 10) and chance(rng, 0.6):
        head = pick(rng, company.on_duty("Account management", told_on))
        _contact(rng, life, head, "outbound", "fix_notice", told_on, book, "email")
        if life.client.consent and chance(rng, 0.7) and told_on + 7 < comes_back_on:
            _contact(rng, life, head, "outbound", "invitation", told_on + 7, book, "email")


# Mailings
def _mailings(rng, life: Life, book: Book) -> None:
    if life.client.consent is False:
        return
    for spell in life.spells:
        when = spell.start + between(rng, 5, MAILING_GAP_DAYS)
        while when < min(spell.active_until, HORIZON - 20):
            sent_at = at(when, 11, 0, between(rng, 0, 59))
            fact = book.add("mailings", sent_at, life.client.fact, sent_at, None, None)
            opened = chance(rng, 0.35)
            if opened:
                opened_at = sent_at + between(rng, 60, 3 * DAY_SECONDS)
                fact.change(opened_at, opened_at=opened_at)
                if chance(rng, 0.02):
                    fact.change(opened_at + 120, unsubscribed_at=opened_at + 120)
                    return
            when += MAILING_GAP_DAYS + between(rng, -10, 10)
