"""The planted lives: when each client comes, what happens to it, when and how it leaves, whether it returns.

Time runs in steps of 30 days. In each step a client may have experiences (an unanswered message, a price rise, ...);
those of the last WEIGHS_DAYS multiply its hazard of leaving by MULTIPLIERS. The programme lowers both the base
hazard and the rates.

Null signals are planted beside them: happenings that come at the same rate before the start, in a spell, in the silence
before its end and between spells, whoever the client is, and that no hazard reads. So whatever the exposure, the chance
to have met one in the last 90 days is the same, and the relative risk of leaving is 1 by construction.

A spell planned here is a spell by the definitions in metrics.md, and its exit type is the one they give: the other
modules write contracts, top-ups and requests so that this comes out, and tests/demo holds that it does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log

from demo.company import SEGMENTS, Client, Company, Person
from demo.model import (
    HORIZON,
    PROGRAMME_ON,
    at,
    between,
    chance,
    day_of,
    pick,
    stream,
    weighted,
)

LAPSE_DAYS = 90
GRACE_DAYS = 7
OBSTRUCTION_DAYS = 14
STEP = 30
FIRST_DECISION = 12
"""Nobody decides to leave in the first days: a refund of the release before could be taken for one of the next."""

BASE_HAZARD = (0.0239, 0.0128)
"""Chance to decide to leave within 30 days without any experience, before the programme and with its full effect."""
PROGRAMME_RAMP_DAYS = 180
EARLY_DAYS, EARLY_FACTOR = 100, 1.5
LOYAL_DAYS, LOYAL_FACTOR = 730, 0.8

MULTIPLIERS = {
    "unanswered": 2.4,
    "manager_change": 1.9,
    "price_rise": 2.3,
    "promise_change": 1.7,
    "refund_refused": 2.4,
    "complaint": 1.8,
    "failed_payment": 1.4,
    "refund_paid": 1.0,
}
WEIGHS_DAYS = {what: 365 if what == "manager_change" else 180 for what in MULTIPLIERS}
"""For so long each experience weighs: its window in `churn_drivers` and the 90 days after it."""
RATES = {
    "unanswered": (0.075, 0.03),
    "manager_change": (0.03, 0.008),
    "price_rise": (0.03, 0.02),
    "promise_change": (0.05, 0.03),
    "refund_refused": (0.012, 0.005),
    "complaint": (0.03, 0.025),
    "failed_payment": (0.025, 0.02),
    "refund_paid": (0.009, 0.009),
}
"""Chance of each experience within 30 days, before and after the programme's start."""

NULL_RATES = {"fee": 0.05, "dispute": 0.02, "reopened": 0.035, "upsell": 0.15}
"""Null signals in 30 days, always and for everybody."""
NULL_LEAD_DAYS = 120
"""They begin so long before the first start, when the client is known and tries the service out: a new client's last 90
days must hold as many of them as an old one's."""

EXITS = {
    "contract": {"released": 0.36, "lapsed": 0.40, "payment_failure": 0.13, "dismissed": 0.08, "dissolved": 0.03},
    "prepaid": {"released": 0.28, "lapsed": 0.60, "dismissed": 0.08, "dissolved": 0.04},
    "both": {"released": 0.38, "lapsed": 0.40, "payment_failure": 0.10, "dismissed": 0.08, "dissolved": 0.04},
}
HANDLINGS = (
    {"free": 0.32, "bonus_offered": 0.24, "obstructed": 0.36, "unknown": 0.08},
    {"free": 0.62, "bonus_offered": 0.20, "obstructed": 0.12, "unknown": 0.06},
)
RETURNS = {"free": 0.52, "bonus_offered": 0.36, "obstructed": 0.16, "unknown": 0.30}
RETURNS_OF_OTHERS = {"lapsed": 0.05, "payment_failure": 0.16, "dismissed": 0.03, "dissolved": 0.0}
CALLED_SHARE = 0.5
CALLED_RETURN = 0.10
MEDIAN_DAYS_TO_RETURN, SPREAD_OF_RETURN = 55, 1.0

MANAGER_AT_START = (0.35, 0.75)
MANAGER_WITH_PROGRAMME = 0.55


@dataclass(slots=True)
class Release:
    """How a client that asked to leave was handled. Of an `unknown` one only billing knows: no request, no instants."""

    handling: str
    requested_at: int | None
    completed_at: int | None
    bonus_offered: bool = False
    obstacle: str | None = None
    is_late_paperwork: bool = False
    refund_asked_at: int | None = None
    refund_decision: str | None = None
    refund_decided_at: int | None = None


@dataclass(slots=True)
class Interview:
    """What a leaver was asked, and what it answered, if it did."""

    invited_at: int
    answered_at: int | None = None
    reason: str | None = None


@dataclass(slots=True)
class Spell:
    """A time as a client, from `start` to the first day without service (None: beyond the horizon).

    `known_from` is the first as_of at which the systems tell of the end. `is_cut` says that a release, a dismissal or
    the closing of the legal entity ends it, not a contract's own end or the silence of a prepaid account.
    """

    number: int
    kind: str
    start: int
    end: int | None = None
    exit_type: str | None = None
    known_from: int | None = None
    is_cut: bool = False
    is_in_billing_only: bool = False
    is_called: bool = False
    release: Release | None = None
    interview: Interview | None = None
    experiences: list[tuple[str, int]] = field(default_factory=list)

    @property
    def settled_until(self) -> int:
        """The day from which the exit is under way: the one on which the client asked, else the end."""
        if self.end is None:
            return HORIZON
        if self.release is not None and self.release.requested_at is not None:
            return day_of(self.release.requested_at)
        return self.end

    @property
    def active_until(self) -> int:
        """The day from which the client shows no sign of life: for a silent prepaid one long before the end."""
        if self.end is None:
            return HORIZON
        if self.kind == "prepaid" and self.exit_type == "lapsed":
            return self.end - LAPSE_DAYS + 1
        return self.end

    def days_of(self, kind: str) -> list[int]:
        """The days of one kind of experience."""
        return [when for what, when in self.experiences if what == kind]


@dataclass(slots=True)
class Assignment:
    """An account manager's time with a client; `until` is the first day without."""

    person: Person
    since: int
    until: int | None


@dataclass
class Life:
    """What happens to one client."""

    client: Client
    spells: list[Spell] = field(default_factory=list)
    nulls: dict[str, list[int]] = field(default_factory=dict)
    managers: list[Assignment] = field(default_factory=list)
    closed_after_leaving_on: int | None = None

    def manager_on(self, day_number: int) -> Person | None:
        """The account manager in force on a day."""
        for assignment in self.managers:
            if assignment.since <= day_number and (assignment.until is None or day_number < assignment.until):
                return assignment.person
        return None

    def spell_on(self, day_number: int) -> Spell | None:
        """The spell a day falls into."""
        for spell in self.spells:
            if spell.start <= day_number and (spell.end is None or day_number < spell.end):
                return spell
        return None


def after_programme(day_number: int) -> bool:
    """Whether the programme has begun."""
    return day_number >= PROGRAMME_ON


def base_hazard(day_number: int) -> float:
    """The hazard of a 30-day step that begins on a day; it falls over half a year once the programme starts."""
    share = min(max((day_number - PROGRAMME_ON) / PROGRAMME_RAMP_DAYS, 0.0), 1.0)
    return BASE_HAZARD[0] + share * (BASE_HAZARD[1] - BASE_HAZARD[0])


def live(company: Company, client: Client) -> Life:
    """Draw the whole life of a client up to the horizon."""
    life = Life(client)
    if not client.has_contracts:
        return life
    rng = stream(company.seed, "life", client.number)
    start: int | None = client.arrives_on
    while start is not None and start < HORIZON:
        spell = Spell(number=len(life.spells) + 1, kind=client.kind, start=start)
        life.spells.append(spell)
        _assign_managers(rng, company, life, spell)
        _draw_spell(rng, client, spell)
        _close_assignments(life, spell)
        start = _draw_return(rng, spell)
    last = life.spells[-1]
    life.nulls = _draw_nulls(company.seed, client, last.end)
    if last.end is not None and last.exit_type not in ("dismissed", "dissolved") and chance(rng, 0.04):
        closed_on = last.end + between(rng, 20, 400)
        if client.fact is not None and closed_on < HORIZON:
            life.closed_after_leaving_on = closed_on
    return life


def _draw_nulls(seed: int, client: Client, lost_on: int | None) -> dict[str, list[int]]:
    """The days of the null signals up to the last exit, from chance of their own: nothing else in a life moves them."""
    rng = stream(seed, "nulls", client.number)
    nulls = {}
    for what, rate in NULL_RATES.items():
        days, when = [], client.arrives_on - NULL_LEAD_DAYS + rng.exponential(STEP / rate)
        while when < min(lost_on or HORIZON, HORIZON - 20):
            days.append(int(when))
            when += rng.exponential(STEP / rate)
        nulls[what] = days
    return nulls


def _assign_managers(rng, company: Company, life: Life, spell: Spell) -> None:
    """Give the client account managers for the spell, as if it never ended, and note the changes as experiences.

    Changes come by themselves (the rate in RATES), when a manager resigns, and never in the spell's first 20 days.
    """
    if life.client.fact is None:
        return
    has_one = chance(rng, MANAGER_AT_START[after_programme(spell.start)])
    since = spell.start + between(rng, 0, 10)
    if not has_one:
        if spell.start >= PROGRAMME_ON or not chance(rng, MANAGER_WITH_PROGRAMME):
            return
        since = max(PROGRAMME_ON + between(rng, 0, 60), spell.start + 20)
    person = pick(rng, company.on_duty("Account management", since))
    when = since
    while when < HORIZON:
        rate = RATES["manager_change"][after_programme(when)]
        until = when + 20 + int(rng.exponential(STEP / rate))
        if person.works_until is not None:
            until = min(until, max(person.works_until, when + 1))
        if until >= HORIZON:
            life.managers.append(Assignment(person, when, None))
            return
        life.managers.append(Assignment(person, when, until))
        spell.experiences.append(("manager_change", until))
        others = [other for other in company.on_duty("Account management", until) if other is not person]
        person, when = pick(rng, others), until


def _close_assignments(life: Life, spell: Spell) -> None:
    """End the managers' time with the spell and forget what would have come later."""
    # Nothing more is renegotiated or refunded once the client has asked to leave.
    spell.experiences = sorted(
        ((what, when) for what, when in spell.experiences if when < spell.settled_until),
        key=lambda experience: experience[1],
    )
    if spell.end is None:
        return
    kept = []
    for assignment in life.managers:
        if assignment.since < spell.end:
            if assignment.until is None or assignment.until > spell.end:
                assignment.until = spell.end
            kept.append(assignment)
    life.managers = kept


def _draw_spell(rng, client: Client, spell: Spell) -> None:
    segment_factor = SEGMENTS[client.segment]
    window = spell.start
    while window < HORIZON:
        # What a client has just lived through weighs from the next step on.
        recent = {what for what, when in spell.experiences if window - WEIGHS_DAYS[what] <= when < window}
        hazard = base_hazard(window) * segment_factor
        for what in recent:
            hazard *= MULTIPLIERS[what]
        tenure = window - spell.start
        if tenure < EARLY_DAYS:
            hazard *= EARLY_FACTOR
        elif tenure >= LOYAL_DAYS:
            hazard *= LOYAL_FACTOR
        decides_on = None
        if chance(rng, 1 - exp(-hazard)):
            decides_on = max(window + between(rng, 3, STEP - 1), spell.start + FIRST_DECISION)
        for what, rates in RATES.items():
            if what != "manager_change" and chance(rng, rates[after_programme(window)]):
                _experience(rng, client, spell, what, window)
        if decides_on is not None and _leave(rng, client, spell, decides_on):
            return
        window += STEP


def _experience(rng, client: Client, spell: Spell, what: str, window: int) -> None:
    when = window + between(rng, 1, STEP - 1)
    has_contract = spell.kind != "prepaid"
    if what in ("price_rise", "failed_payment") and not has_contract:
        return
    # Refunds of the first weeks could be mistaken for those of the release before.
    if what in ("refund_refused", "refund_paid", "price_rise") and when < spell.start + 45:
        return
    spell.experiences.append((what, when))


def _leave(rng, client: Client, spell: Spell, decides_on: int) -> bool:
    """Plan the exit; False when it would not be over well before the horizon (the client then stays)."""
    phase = after_programme(decides_on)
    exit_type = weighted(rng, EXITS[spell.kind])
    if client.fact is None and exit_type == "dissolved":
        exit_type = "lapsed"
    if exit_type == "released":
        return _release(rng, client, spell, decides_on, phase)
    end = decides_on
    if exit_type == "lapsed":
        # A prepaid client is lost 90 days after the last use; a contract runs out on a day known beforehand.
        end = decides_on + LAPSE_DAYS if spell.kind == "prepaid" else decides_on + between(rng, 0, 20)
    elif exit_type == "payment_failure":
        end = decides_on + between(rng, 0, 20)
    if end >= HORIZON - 60:
        return False
    spell.end, spell.exit_type = end, exit_type
    spell.known_from = end if exit_type == "lapsed" else end + 1
    spell.is_cut = exit_type in ("dismissed", "dissolved")
    if exit_type == "dismissed" and (client.fact is None or (spell.kind == "contract" and chance(rng, 0.15))):
        spell.is_cut, spell.is_in_billing_only = False, True
    if exit_type == "payment_failure" and chance(rng, 0.1):
        spell.known_from = end + between(rng, 2, 4)
    return True


def _release(rng, client: Client, spell: Spell, asks_on: int, phase: bool) -> bool:
    handling = weighted(rng, HANDLINGS[phase])
    if client.fact is None or (handling == "unknown" and spell.kind == "prepaid"):
        handling = "unknown" if spell.kind == "contract" else "free"
    if asks_on >= HORIZON - 120:
        return False
    requested_at = at(asks_on, between(rng, 9, 17), between(rng, 0, 59))
    if handling == "unknown":
        spell.release = Release(handling, None, None)
        end = asks_on + between(rng, 1, 20)
        spell.end, spell.exit_type, spell.known_from, spell.is_in_billing_only = end, "released", end + 1, True
        return True
    release = Release(handling, requested_at, None)
    waits = between(rng, 0, 9)
    if handling == "bonus_offered":
        release.bonus_offered, waits = True, between(rng, 1, 12)
    way = None
    if handling == "obstructed":
        way = weighted(rng, {"slow": 0.55, "obstacle": 0.3, "refund": 0.15})
        release.bonus_offered = chance(rng, 0.3)
        if way == "slow":
            waits = between(rng, OBSTRUCTION_DAYS + 1, 75)
        elif way == "obstacle":
            release.obstacle = pick(
                rng, ["penalty clause", "originals by post only", "three signatures", "debt claimed"]
            )
    end = asks_on + waits
    completed_on = end
    if handling == "free" and spell.kind == "contract" and chance(rng, 0.06):
        # The contract ended first, the paperwork followed; a return in between is not undone by it.
        end, completed_on = asks_on + between(rng, 2, 4), asks_on + between(rng, 11, OBSTRUCTION_DAYS)
        release.is_late_paperwork = True
    release.completed_at = max(at(completed_on, between(rng, 10, 18), between(rng, 0, 59)), requested_at + 1_800)
    if day_of(release.completed_at) != completed_on:
        release.completed_at = at(completed_on, 18, 30)
    _refund(rng, release, end, refused=way == "refund")
    spell.end, spell.exit_type, spell.release = end, "released", release
    spell.known_from = end + 1
    spell.is_cut = not release.is_late_paperwork
    return True


def _refund(rng, release: Release, end: int, refused: bool) -> None:
    if not refused and not chance(rng, 0.4):
        return
    release.refund_asked_at = max(release.requested_at, at(end, 12)) + between(rng, 1, 5 * 86_400)
    release.refund_decided_at = release.refund_asked_at + between(rng, 1, 20) * 86_400
    release.refund_decision = "refused" if refused else "paid"
    if not refused and chance(rng, 0.1):
        release.refund_decision = release.refund_decided_at = None


def _draw_return(rng, spell: Spell) -> int | None:
    if spell.end is None:
        return None
    delay = max(1, int(exp(log(MEDIAN_DAYS_TO_RETURN) + SPREAD_OF_RETURN * rng.standard_normal())))
    if spell.exit_type == "released":
        returns = chance(rng, RETURNS[spell.release.handling])
        # Only a cut keeps a quick return apart from the spell before it.
        earliest = 1 if spell.is_cut else GRACE_DAYS + 2
    else:
        spell.is_called = spell.exit_type == "lapsed" and chance(rng, CALLED_SHARE)
        returns = chance(rng, CALLED_RETURN if spell.is_called else RETURNS_OF_OTHERS[spell.exit_type])
        earliest = GRACE_DAYS + 2
        if spell.is_called:
            delay += 30
    if not returns:
        return None
    return spell.end + min(max(delay, earliest), 700)
