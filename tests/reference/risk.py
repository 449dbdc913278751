"""Drivers of leaving, the clients at risk and the back-test, computed in plain Python from the definitions page.

An oracle like model.py: every exposure is looked at by itself, with only what was known before its day. It shares no
code with the product. `AMBIGUOUS:` marks a place where the page can be read in two ways, with the reading taken here.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

from tests.reference import model, service, voice
from tests.reference.model import Client, Company, Spell
from tests.reference.reading import Row, local_day, read_seed

WINDOW = timedelta(days=90)
TAU_SQUARED = 0.25
SMALL = 30
ONE_WORKING_DAY = 540
CHURNING = ("released", "lapsed", "payment_failure")
LEFT_OUT = ("dismissed", "dissolved")

Value = int | Fraction | None  # None: missing


# --------------------------------------------------------------------------------------------------------- signals


@dataclass
class Known:
    """What there is to know of one client; every signal takes of it what lies before its day."""

    client: Client
    life: voice.Life
    tickets: list[service.Ticket]
    feedback: list[service.Feedback]
    refusals: list[date]
    failures: list[date]
    managed_from: list[date]


def known(company: Company) -> dict[str, Known]:
    if hasattr(company, "_known"):
        return company._known
    facts, life_of, zone = service.facts(company), voice.lives(company), company.config.zone
    company._known = {
        client.client_id: Known(
            client,
            life_of[client.client_id],
            facts.tickets_of[client.client_id],
            [row for row in facts.feedback if row.client_id == client.client_id],
            voice.refusals(client, company),
            [local_day(row["paid_at"], zone) for row in client.payments if row["status"] == "failed"],
            [assignment.valid_from for assignment in facts.assignments_of[client.client_id]],
        )
        for client in company.clients.values()
    }
    return company._known


def targets_of(company: Company) -> dict[tuple[str, str], Fraction]:
    """(sla_class, metric) → minutes; read once per company."""
    if not hasattr(company, "_targets"):
        company._targets = service.sla_targets(company)
    return company._targets


def midnight(day: date, company: Company) -> datetime:
    """The instant at which a day of the company begins."""
    return datetime.combine(day, time(0), company.config.zone)


def signals(company: Company, client: Client, day: date, spell: Spell) -> dict[str, Value]:
    """The signals of a client at a day T, from [T − 90, T) unless the page says otherwise."""
    about, calendar, targets = known(company)[client.client_id], service.facts(company).calendar, targets_of(company)
    first = day - WINDOW
    now, then = midnight(day, company), midnight(first, company)

    def within(moment: date | None, start: date = first, end: date = day) -> bool:
        return moment is not None and start <= moment < end

    def minutes(start: datetime, end: datetime) -> Fraction:
        return Fraction(service.business_microseconds(calendar, start, end), service.MINUTE)

    contacts = [contact for contact in about.life.contacts if within(contact.occurred_on)]
    outbound = [contact for contact in contacts if contact.direction == "outbound"]
    ours = [
        message
        for ticket in about.tickets
        for message in ticket.messages
        if message.is_ours and within(message.sent_on)
    ]
    met = {contact.employee_id for contact in outbound} | {message.employee_id for message in ours}

    unanswered = 0
    for ticket in about.tickets:
        answers = [message.sent_at for message in ticket.messages if message.is_ours and message.sent_at < now]
        for message in ticket.messages:
            if message.author != "client" or not within(message.sent_on):
                continue
            if any(answer > message.sent_at for answer in answers):
                continue
            unanswered += minutes(message.sent_at, now) > ONE_WORKING_DAY

    opened = [ticket for ticket in about.tickets if within(ticket.opened_on)]

    def missed(ticket: service.Ticket, metric: str, done_at: datetime | None) -> bool:
        target = targets.get((ticket.sla_class, metric))
        end = now if done_at is None else min(done_at, now)
        return target is not None and minutes(ticket.opened_at, end) > target

    silences = []
    for ticket in about.tickets:
        for start, end in service.silences(ticket):
            until = now if end is None else min(end, now)
            starts_inside = then <= start < now
            lasts_into = start < now and (end is None or end > then)
            if starts_inside or lasts_into:
                silences.append(minutes(max(start, then), until) / 60)

    scores = [Fraction(row.score) for row in about.feedback if row.score is not None and within(row.submitted_on)]
    satisfaction = None
    if scores:
        mean = sum(scores) / len(scores)
        satisfaction = Fraction(math.floor(mean * 10**6 + Fraction(1, 2)), 10**6)

    def is_ignored(row: service.Feedback) -> bool:
        return (
            row.kind in ("complaint", "idea", "review")
            and within(row.submitted_on, first, day - timedelta(days=14))
            and (row.acted_on_on is None or row.acted_on_on >= day)
        )

    def followed(start: date) -> bool:
        return any(earlier < start for earlier in about.managed_from)

    return {
        "people_met": len(met - {None}),
        "manager_changes": sum(
            within(start, day - timedelta(days=365)) and followed(start) for start in about.managed_from
        ),
        "unanswered_messages": unanswered,
        "first_response_breaches": sum(
            missed(ticket, "first_response", service.first_response_at(ticket))
            for ticket in opened
            if ticket.opened_by == "client"
        ),
        "resolution_breaches": sum(missed(ticket, "resolution", service.resolved_at(ticket)) for ticket in opened),
        "longest_silence": max(silences, default=None),
        "promise_changes": sum(
            within(event.occurred_on) for ticket in about.tickets for event in service.promise_changes(ticket)
        ),
        "reopened": sum(within(event.occurred_on) for ticket in about.tickets for event in service.reopenings(ticket)),
        "complaints": sum(row.kind == "complaint" and within(row.submitted_on) for row in about.feedback),
        "satisfaction": satisfaction,
        "ignored_feedback": sum(is_ignored(row) for row in about.feedback),
        "fee_lines": sum(within(issued_on) for issued_on, _ in about.life.lines("fee")),
        "invoice_disputes": sum(within(invoice.disputed_on) for invoice in about.life.invoices),
        "failed_payments": sum(within(failed_on) for failed_on in about.failures),
        "refund_refused": sum(within(refused_on) for refused_on in about.refusals),
        "price_rise": int(any(within(rise.started_on) for rise in about.life.rises)),
        "upsell_contacts": sum(contact.purpose == "upsell" for contact in outbound),
        "unsubscribed": int(any(within(mailing.unsubscribed_on, date.min) for mailing in about.life.mailings)),
        "no_contact": int(not outbound and not ours),
        "tenure_band": (day - spell.start).days,
    }


# ---------------------------------------------------------------------------------------------------------- levels


@dataclass(frozen=True)
class Level:
    signal: str
    name: str
    lower_bound: Fraction | None  # None: the level of a missing value
    is_reference: bool


def levels_of(company: Company) -> dict[str, list[Level]]:
    """signal → its levels; read once per company."""
    if not hasattr(company, "_levels"):
        company._levels = read_levels(company)
    return company._levels


def read_levels(company: Company) -> dict[str, list[Level]]:
    found: dict[str, list[Level]] = defaultdict(list)
    for row in read_seed(company.folder, "driver_levels"):
        bound = None if row["lower_bound"] is None else Fraction(row["lower_bound"])
        found[row["signal"]].append(Level(row["signal"], row["level"], bound, row["is_reference"].lower() == "true"))
    return found


def level_of(value: Value, levels: list[Level]) -> Level | None:
    if value is None:
        return next((level for level in levels if level.lower_bound is None), None)
    reached = [level for level in levels if level.lower_bound is not None and level.lower_bound <= value]
    return max(reached, key=lambda level: level.lower_bound, default=None)


# ------------------------------------------------------------------------------------------------------- exposures


@dataclass
class Exposure:
    client: Client
    day: date  # T
    is_churned: bool
    values: dict[str, Value]
    levels: dict[str, Level] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        return sorted(signal for signal, value in self.values.items() if value is None)


def look_at(company: Company, client: Client, day: date) -> Exposure | None:
    """The client at a day T: None when it was in no spell on the day before."""
    spell = model.spell_on(client, day - timedelta(days=1))
    if spell is None:
        return None
    levels = levels_of(company)
    values = {name: value for name, value in signals(company, client, day, spell).items() if name in levels}
    # AMBIGUOUS: the outcome is the end of the spell the client was in; a later spell's end is another exposure's.
    ends = spell.ended_on is not None and day <= spell.ended_on < day + WINDOW
    exposure = Exposure(client, day, ends and spell.exit_type in CHURNING, values)
    for name, value in values.items():
        level = level_of(value, levels[name])
        if level is not None:
            exposure.levels[name] = level
    return exposure


def is_left_out(client: Client, day: date) -> bool:
    spell = model.spell_on(client, day - timedelta(days=1))
    ends = spell.ended_on is not None and day <= spell.ended_on < day + WINDOW
    return ends and spell.exit_type in LEFT_OUT


def quarters(company: Company) -> list[date]:
    """First days of the quarters whose 90 days are over and whose signals have 90 days of history."""
    if company.history_starts_on is None:
        return []
    found = []
    day = date(company.history_starts_on.year, 1, 1)
    while day + WINDOW <= company.as_of:
        if day >= company.history_starts_on + WINDOW:
            found.append(day)
        day = model.add_months(day, 3)
    return found


def mature_exposures(company: Company) -> list[Exposure]:
    """Every exposure with a known outcome; computed once per company."""
    if not hasattr(company, "_exposures"):
        seen = [
            (client, day, look_at(company, client, day))
            for day in quarters(company)
            for client in company.clients.values()
        ]
        company._exposures = [
            exposure for client, day, exposure in seen if exposure is not None and not is_left_out(client, day)
        ]
    return company._exposures


# --------------------------------------------------------------------------------------------------------- drivers


@dataclass
class Driver:
    """One level of one signal over a set of exposures."""

    level: Level
    exposures: int
    churned: int
    reference_exposures: int
    reference_churned: int

    @property
    def rate(self) -> float | None:
        return self.churned / self.exposures if self.exposures else None

    @property
    def relative_risk(self) -> float | None:
        if not self.reference_churned:
            return None
        if self.level.is_reference:
            return 1.0
        if not self.exposures:
            return None
        reference = Fraction(self.reference_churned, self.reference_exposures)
        return float(Fraction(self.churned, self.exposures) / reference)

    @property
    def squared_error(self) -> float | None:
        """Of the logarithm of the relative risk (Katz); None when one of the four cells is zero."""
        cells = (
            self.churned,
            self.exposures - self.churned,
            self.reference_churned,
            self.reference_exposures - self.reference_churned,
        )
        if 0 in cells:
            return None
        return float(
            Fraction(1, self.churned)
            - Fraction(1, self.exposures)
            + Fraction(1, self.reference_churned)
            - Fraction(1, self.reference_exposures)
        )

    @property
    def interval(self) -> tuple[float | None, float | None]:
        if self.level.is_reference or self.squared_error is None:
            return None, None
        half = model.Z * math.sqrt(self.squared_error)
        centre = math.log(self.relative_risk)
        return math.exp(centre - half), math.exp(centre + half)

    @property
    def is_small(self) -> bool:
        return self.exposures < SMALL

    @property
    def weight(self) -> float:
        """What the level adds to the score; a missing value adds nothing."""
        if self.level.is_reference or self.is_small or self.level.lower_bound is None or self.squared_error is None:
            return 0.0
        return math.log(self.relative_risk) * TAU_SQUARED / (TAU_SQUARED + self.squared_error)


def drivers(company: Company, exposures: list[Exposure]) -> list[tuple[Driver, str]]:
    """Every level of the seed with its counts over the exposures, and the name of its signal's reference."""
    found = []
    for signal, levels in levels_of(company).items():
        reference = next(level for level in levels if level.is_reference)

        def count(level: Level, signal: str = signal) -> tuple[int, int]:
            here = [exposure for exposure in exposures if exposure.levels.get(signal) == level]
            return len(here), sum(exposure.is_churned for exposure in here)

        for level in levels:
            found.append((Driver(level, *count(level), *count(reference)), reference.name))
    return found


def churn_drivers(company: Company) -> list[Row]:
    rows = []
    for driver, reference in drivers(company, mature_exposures(company)):
        low, high = driver.interval
        rows.append(
            {
                "signal": driver.level.signal,
                "level": driver.level.name,
                "exposures": driver.exposures,
                "churned": driver.churned,
                "churn_rate": driver.rate,
                "reference_level": reference,
                "relative_risk": driver.relative_risk,
                "ci_low": low,
                "ci_high": high,
                "is_small": driver.is_small,
            }
        )
    return rows


# ------------------------------------------------------------------------------------------------------------ risk


def weights_from(company: Company, exposures: list[Exposure]) -> dict[Level, float]:
    return {driver.level: driver.weight for driver, _ in drivers(company, exposures)}


def score_of(exposure: Exposure, weights: dict[Level, float]) -> float:
    """The sum of the weights, rounded so that it does not depend on the order of adding."""
    return round(math.fsum(weights.get(level, 0.0) for level in exposure.levels.values()), 9) + 0.0


def tiles(count: int, parts: int) -> list[int]:
    """ntile: the tile of each of `count` ordered rows; the first tiles take what is left over."""
    size, extra = divmod(count, parts)
    return [tile for tile in range(1, parts + 1) for _ in range(size + (tile <= extra))]


def monotone(rates: list[tuple[int, int]]) -> list[Fraction]:
    """Rates that never fall, from (churned, exposures) per twentieth: adjacent violators are pooled."""
    blocks: list[list[int]] = []  # churned, exposures, how many twentieths
    for churned, exposures in rates:
        blocks.append([churned, exposures, 1])
        while len(blocks) > 1 and Fraction(*blocks[-2][:2]) >= Fraction(*blocks[-1][:2]):
            last = blocks.pop()
            blocks[-1] = [one + other for one, other in zip(blocks[-1], last, strict=True)]
    return [Fraction(churned, exposures) for churned, exposures, width in blocks for _ in range(width)]


Rank = tuple[float, str, date]


def rank_of(exposure: Exposure, weights: dict[Level, float]) -> Rank:
    return score_of(exposure, weights), exposure.client.client_id, exposure.day


def twentieths(training: list[Exposure], weights: dict[Level, float]) -> list[tuple[Rank, Fraction]]:
    """Per twentieth of the training exposures: the rank of its first exposure, and its probability of leaving."""
    ordered = sorted(training, key=lambda exposure: rank_of(exposure, weights))
    groups: dict[int, list[Exposure]] = defaultdict(list)
    for exposure, tile in zip(ordered, tiles(len(ordered), 20), strict=True):
        groups[tile].append(exposure)
    rates = [(sum(exposure.is_churned for exposure in group), len(group)) for group in groups.values()]
    firsts = [rank_of(group[0], weights) for group in groups.values()]
    return list(zip(firsts, monotone(rates), strict=True))


def at_risk_clients(company: Company) -> list[Row]:
    training = mature_exposures(company)
    weights = weights_from(company, training)
    scale = twentieths(training, weights)
    texts = {(row["signal"], row["level"]): row["reason"] for row in read_seed(company.folder, "driver_texts")}
    today = [look_at(company, client, company.as_of) for client in company.clients.values()]
    present = sorted(
        (exposure for exposure in today if exposure is not None),
        key=lambda exposure: (score_of(exposure, weights), exposure.client.client_id),
    )
    rows = []
    for exposure, decile in zip(present, tiles(len(present), 10), strict=True):
        own = rank_of(exposure, weights)
        reached = [probability for first, probability in scale if first <= own]
        probability = reached[-1] if reached else scale[0][1] if scale else None
        adding = [(-weights[level], signal) for signal, level in exposure.levels.items() if weights[level] > 0]
        reasons = [texts.get((signal, exposure.levels[signal].name)) for _, signal in sorted(adding)]
        reasons = [*reasons, None, None, None]
        rows.append(
            {
                "client_id": exposure.client.client_id,
                "score": own[0],
                "probability_90d": None if probability is None else float(probability),
                "decile": decile,
                "reason_1": reasons[0],
                "reason_2": reasons[1],
                "reason_3": reasons[2],
                "missing_signals": ", ".join(exposure.missing),
                "mrr": model.mrr_on(exposure.client, company.as_of - timedelta(days=1), company.config),
            }
        )
    return rows


def risk_backtest(company: Company) -> list[Row]:
    exposures, rows = mature_exposures(company), []
    for quarter in quarters(company):
        training = [exposure for exposure in exposures if exposure.day + WINDOW <= quarter]
        here = [exposure for exposure in exposures if exposure.day == quarter]
        if not training or not here:
            continue
        weights = weights_from(company, training)
        here.sort(key=lambda exposure: (score_of(exposure, weights), exposure.client.client_id))
        ranked = list(zip(here, tiles(len(here), 10), strict=True))
        base = Fraction(sum(exposure.is_churned for exposure in here), len(here))
        everyone_churned = sum(exposure.is_churned for exposure in here)
        for decile in sorted({tile for _, tile in ranked}):
            group = [exposure for exposure, tile in ranked if tile == decile]
            above = [exposure for exposure, tile in ranked if tile >= decile]
            churned, caught = (sum(exposure.is_churned for exposure in each) for each in (group, above))
            rows.append(
                {
                    "quarter": quarter,
                    "decile": decile,
                    "clients": len(group),
                    "churned": churned,
                    "churn_rate": churned / len(group),
                    "base_rate": float(base),
                    "lift": float(Fraction(churned, len(group)) / base) if base else None,
                    "precision_at_decile": caught / len(above),
                    "recall_at_decile": caught / everyone_churned if everyone_churned else None,
                }
            )
    return rows


MARTS: dict[str, Any] = {
    "churn_drivers": (churn_drivers, ("signal", "level")),
    "at_risk_clients": (at_risk_clients, ("client_id",)),
    "risk_backtest": (risk_backtest, ("quarter", "decile")),
}
