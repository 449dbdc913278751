"""The marts of metrics.md, computed in plain Python from a folder of canonical CSV files.

An oracle: written from the text alone, naive on purpose (pairs of covers are compared with each other, months are
walked one by one), so that it can be checked against the page by eye. It shares no code with the product.
`AMBIGUOUS:` marks a place where the page can be read in two ways, with the reading taken here.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.reference.reading import ENTITIES, Config, Row, Table, local_day, read_company, round_money

Z = 1.959963984540054
NEVER = date.max  # an open end
WINDOWS = (30, 90, 180, 365)
HANDLINGS = ("free", "bonus_offered", "obstructed", "unknown", "all")
EXIT_TYPES = ("released", "lapsed", "payment_failure", "dismissed", "dissolved")
ZERO = Decimal("0.00")
PER_MONTH = {
    "week": Fraction(52, 12),
    "month": Fraction(1),
    "quarter": Fraction(1, 3),
    "year": Fraction(1, 12),
}


# ---------------------------------------------------------------------------------------------------------- months


def first_of(day: date) -> date:
    return day.replace(day=1)


def add_months(month: date, months: int) -> date:
    index = month.year * 12 + month.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def last_day(month: date) -> date:
    """The closing edge of a month; the opening edge is `last_day` of the month before."""
    return add_months(month, 1) - timedelta(days=1)


# ----------------------------------------------------------------------------------------------------------- facts


@dataclass
class Request:
    key: str
    requested_at: datetime
    requested_on: date
    outcome: str | None
    completed_at: datetime | None  # None when completed on or after as_of: that has not happened yet
    completed_on: date | None
    bonus_offered: bool
    obstacle: str | None

    @property
    def is_release(self) -> bool:
        return self.outcome == "released" and self.completed_at is not None


@dataclass
class Cover:
    start: date
    end: date  # NEVER when open
    contract: Row | None = None  # None for a prepaid event
    monthly_price: Decimal = ZERO


@dataclass
class Spell:
    number: int
    start: date
    end: date  # NEVER when open; a planned end on or after as_of is kept here and hidden by `ended_on`
    covers: list[Cover]
    is_closed: bool
    exit_type: str | None = None
    request: Request | None = None  # the request that names the release

    @property
    def ended_on(self) -> date | None:
        return self.end if self.is_closed else None

    def contains(self, day: date) -> bool:
        return self.start <= day < self.end

    def tenure_days(self, as_of: date) -> int:
        return ((self.end if self.is_closed else as_of) - self.start).days


@dataclass
class Release:
    client: "Client"
    spell: Spell
    released_on: date
    requested_at: datetime | None
    from_day: date  # the day from which a refund belongs to it: the request, or the release when only billing knows
    days_to_release: int | None
    handling: str = ""
    reason_code: str = "unknown"
    refund_decision: str = "none_asked"
    returned_on: date | None = None

    @property
    def days_to_return(self) -> int | None:
        return None if self.returned_on is None else (self.returned_on - self.released_on).days


@dataclass
class Client:
    client_id: str
    attributes: dict[str, str]
    contracts: list[Row] = field(default_factory=list)
    prepaid: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)
    refunds: list[Row] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    interviews: list[Row] = field(default_factory=list)
    assignments: list[Row] = field(default_factory=list)
    dismissed_at: list[datetime] = field(default_factory=list)
    closed_at: datetime | None = None
    spells: list[Spell] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)

    @property
    def segment(self) -> str:
        return self.attributes["segment"]


@dataclass
class Company:
    config: Config
    tables: dict[str, Table]
    clients: dict[str, Client]
    employees: list[Row]
    history_starts_on: date | None
    folder: Path  # its own seeds lie in `seeds/`

    @property
    def as_of(self) -> date:
        return self.config.as_of

    def levels(self) -> list[str]:
        """Segments that ever had a client, and `all`."""
        return [*sorted({client.segment for client in self.clients.values()}), "all"]

    def months(self) -> list[date]:
        """Mature months that exist: last day before as_of, not before the month of history_starts_on."""
        months = []
        if self.history_starts_on is None:
            return months
        month = first_of(self.history_starts_on)
        while last_day(month) < self.as_of:
            months.append(month)
            month = add_months(month, 1)
        return months


def level(value: str | None) -> str:
    """An attribute as a level: missing is `unknown`, and so is a company's own `all` or `unknown`."""
    return "unknown" if value is None or value in ("all", "unknown") else value


# ---------------------------------------------------------------------------------------------------- identity map


def identity_map(tables: dict[str, Table]) -> dict[tuple[str, str], str]:
    """(domain, source key) → client key. One step: the client key of a link is not looked up again.

    AMBIGUOUS: a link whose source is the name `files` is a link of a *named* source: it is read as holding for both
    mapped domains, and a link of the domain itself comes first.
    AMBIGUOUS: a link to a client key that is not in `clients` still maps (the key then has unknown attributes).
    """
    links: dict[tuple[str, str], str] = {}
    for row in tables["client_links"].rows:
        if row["source"] == "files":
            for domain in ("billing", "tickets"):
                links.setdefault((domain, row["source_key"]), row["client_key"])
    for row in tables["client_links"].rows:
        if row["source"] in ("billing", "tickets"):
            links[row["source"], row["source_key"]] = row["client_key"]
    return links


EVENT_DAY = {  # the column that dates a fact: on or after as_of it does not exist yet
    "clients": "registered_at",
    "employees": "active_from",
    "manager_assignments": "valid_from",
    "termination_requests": "requested_at",
    "dismissals": "dismissed_at",
    "exit_interviews": "invited_at",
    "contracts": "started_on",
    "prepaid_events": "occurred_at",
    "invoices": "issued_at",
    "payments": "paid_at",
    "refunds": "requested_at",
    "tickets": "opened_at",
    "feedback": "submitted_at",
}


def load_company(folder: Path, config: Config) -> Company:
    """Reads the folder, drops what has not happened by as_of, and gives every fact its client."""
    tables = read_company(folder, config)
    zone, as_of = config.zone, config.as_of

    def day_of(value: date | datetime) -> date:
        return local_day(value, zone) if isinstance(value, datetime) else value

    def happened(entity: str) -> list[Row]:
        column = EVENT_DAY[entity]
        return [row for row in tables[entity].rows if row[column] is None or day_of(row[column]) < as_of]

    links = identity_map(tables)

    def client_of(entity: str, row: Row) -> str:
        domain = ENTITIES[entity].domain
        return row["client_key"] if domain == "crm" else links.get((domain, row["client_key"]), row["client_key"])

    clients: dict[str, Client] = {}

    def add_client(client_id: str, row: Row | None) -> None:
        attributes = ("segment", "size_band", "region", "acquisition_channel")
        clients[client_id] = Client(client_id, {name: level(row[name] if row else None) for name in attributes})
        if row and row["closed_at"] is not None and local_day(row["closed_at"], zone) < as_of:
            clients[client_id].closed_at = row["closed_at"]

    by_key = {row["client_key"]: row for row in tables["clients"].rows}
    # AMBIGUOUS: a client registered on or after as_of "does not exist yet", unless an earlier fact speaks of it
    # (attributes are today's, whenever the CRM learned of the client).
    for row in happened("clients"):
        add_client(row["client_key"], row)
    # Keys of billing and tickets that map to no CRM client stay as clients.
    for entity in ("contracts", "prepaid_events", "invoices", "payments", "refunds", "tickets", "feedback"):
        for row in happened(entity):
            client_id = client_of(entity, row)
            if client_id not in clients:
                add_client(client_id, by_key.get(client_id))

    for entity, attribute in (
        ("contracts", "contracts"),
        ("prepaid_events", "prepaid"),
        ("payments", "payments"),
        ("refunds", "refunds"),
    ):
        for row in happened(entity):
            getattr(clients[client_of(entity, row)], attribute).append(row)
    # AMBIGUOUS: a CRM row whose client is known to billing only finds its client (the key is in dim_clients);
    # one whose client nobody knows is unmatched and stays out.
    for row in happened("dismissals"):
        if row["client_key"] in clients:
            clients[row["client_key"]].dismissed_at.append(row["dismissed_at"])
    for row in happened("termination_requests"):
        if row["client_key"] in clients:
            completed_at = row["completed_at"]
            if completed_at is not None and local_day(completed_at, zone) >= as_of:
                completed_at = None
            clients[row["client_key"]].requests.append(
                Request(
                    row["request_key"],
                    row["requested_at"],
                    local_day(row["requested_at"], zone),
                    row["outcome"],
                    completed_at,
                    None if completed_at is None else local_day(completed_at, zone),
                    row["bonus_offered"],
                    row["obstacle"],
                )
            )
    for row in happened("exit_interviews"):
        if row["client_key"] in clients:
            clients[row["client_key"]].interviews.append(row)
    employees = happened("employees")
    known_employees = {row["employee_key"] for row in employees}
    for row in happened("manager_assignments"):
        if row["client_key"] in clients and row["employee_key"] in known_employees:
            clients[row["client_key"]].assignments.append(row)

    history = config.history_starts_on
    if history is None:
        days = [row["started_on"] for row in happened("contracts")]
        days += [day_of(row["occurred_at"]) for row in happened("prepaid_events")]
        history = min(days, default=None)

    company = Company(config, tables, clients, employees, history, folder)
    for client in clients.values():
        client.spells = spells_of(client, config)
        client.releases = releases_of(client, config)
    return company


# ---------------------------------------------------------------------------------------------------------- spells


@dataclass
class Cut:
    moment: datetime
    day: date
    asked_on: date | None = None  # of a release: contracts that started after this day are left alone


def covers_of(client: Client, cuts: list[Cut], config: Config) -> list[Cover]:
    """Paid cover after cutting. Covers that a cut leaves without a day are dropped."""
    covers = []
    for contract in client.contracts:
        if contract["price"] <= 0 or contract["is_trial"]:
            continue
        start, end = contract["started_on"], contract["ended_on"] or NEVER
        for cut in cuts:
            spared = cut.asked_on is not None and start > cut.asked_on
            if start < cut.day and not spared:
                end = min(end, cut.day)
        covers.append(Cover(start, end, contract, monthly_price(contract, config)))
    for event in client.prepaid:
        if event["amount"] <= 0:
            continue
        day = local_day(event["occurred_at"], config.zone)
        end = day + timedelta(days=config.lapse_days)
        for cut in cuts:
            if event["occurred_at"] < cut.moment:
                end = min(end, cut.day)
        covers.append(Cover(day, end))
    return [cover for cover in covers if cover.start < cover.end]


def joined(one: Cover, other: Cover, cuts: list[Cut], grace_days: int) -> bool:
    """Two covers join when they overlap, or lie at most grace_days apart with no cut day in the gap, ends included."""
    if one.start < other.end and other.start < one.end:
        return True
    earlier, later = (one, other) if one.end <= other.start else (other, one)
    if (later.start - earlier.end).days > grace_days:
        return False
    return not any(earlier.end <= cut.day <= later.start for cut in cuts)


def join(covers: list[Cover], cuts: list[Cut], config: Config) -> list[Spell]:
    """Maximal groups of covers that join, pair by pair."""
    groups: list[list[Cover]] = []
    for cover in covers:
        touching = [group for group in groups if any(joined(cover, each, cuts, config.grace_days) for each in group)]
        groups = [group for group in groups if not any(group is each for each in touching)]
        groups.append([cover] + [each for group in touching for each in group])
    groups.sort(key=lambda group: min(cover.start for cover in group))
    spells = []
    for number, group in enumerate(groups, start=1):
        end = max(cover.end for cover in group)
        spells.append(Spell(number, min(cover.start for cover in group), end, group, end <= config.as_of))
    return spells


def spells_of(client: Client, config: Config) -> list[Spell]:
    zone = config.zone
    hard = [Cut(moment, local_day(moment, zone)) for moment in client.dismissed_at]
    if client.closed_at is not None:
        hard.append(Cut(client.closed_at, local_day(client.closed_at, zone)))

    without_releases = join(covers_of(client, hard, config), hard, config)
    cuts = list(hard)
    for request in client.requests:
        if not request.is_release:
            continue
        # AMBIGUOUS: "the spell in which it was asked" is the first with started_on <= requested_on <= ended_on, the
        # same words as in the exit rule. (A request on the day of a dismissal that is also the start of the next spell
        # belongs to the dismissed one; else it could cut a spell whose exit it does not name.) "Still in" is half-open.
        asked_in = next((each for each in without_releases if each.start <= request.requested_on <= each.end), None)
        if asked_in is not None and asked_in.contains(request.completed_on):
            cuts.append(Cut(request.completed_at, request.completed_on, request.requested_on))

    spells = join(covers_of(client, cuts, config), cuts, config)
    for spell, request in named_releases(client, spells, config).items():
        spells[spell].request = request
    for spell in spells:
        if spell.is_closed:
            spell.exit_type = exit_type(client, spell, config)
    return spells


def named_releases(client: Client, spells: list[Spell], config: Config) -> dict[int, Request]:
    """Spell (by position) → the request that names its exit: the first completed of those that fit it.

    AMBIGUOUS: a request "names only the first spell it fits" even when that spell's exit is of another type.
    """
    fitting: dict[int, list[Request]] = {}
    for request in client.requests:
        if not request.is_release:
            continue
        for position, spell in enumerate(spells):
            if not spell.is_closed:
                continue
            in_spell = spell.start <= request.requested_on <= spell.end
            following = spells[position + 1].start if position + 1 < len(spells) else NEVER
            in_grace = (
                spell.end < request.requested_on <= spell.end + timedelta(days=config.grace_days)
                and request.requested_on < following
            )
            near_exit = request.completed_on >= spell.end - timedelta(days=config.grace_days)
            if (in_spell or in_grace) and near_exit:
                fitting.setdefault(position, []).append(request)
                break
    # AMBIGUOUS: of two completed at the same instant, the first asked, then the smaller key.
    return {
        position: min(requests, key=lambda request: (request.completed_at, request.requested_at, request.key))
        for position, requests in fitting.items()
    }


def ending_contracts(spell: Spell) -> list[Row]:
    """Covering contracts whose own end is the spell's end, uncut."""
    return [
        cover.contract
        for cover in spell.covers
        if cover.contract is not None and cover.end == spell.end and cover.contract["ended_on"] == spell.end
    ]


def exit_type(client: Client, spell: Spell, config: Config) -> str:
    zone = config.zone
    reasons = {contract["end_reason"] for contract in ending_contracts(spell)}
    dismissed_on = [local_day(moment, zone) for moment in client.dismissed_at]
    if "dismissed" in reasons or any(spell.start < day <= spell.end for day in dismissed_on):
        return "dismissed"
    if client.closed_at is not None and spell.start < local_day(client.closed_at, zone) <= spell.end:
        return "dissolved"
    if spell.request is not None or "request" in reasons:
        return "released"
    prepaid_ends = any(cover.contract is None and cover.end == spell.end for cover in spell.covers)
    if "non_payment" in reasons and not prepaid_ends:
        return "payment_failure"
    return "lapsed"


def is_regretted(kind: str | None) -> bool | None:
    return None if kind is None else kind != "dismissed"


def is_voluntary(kind: str | None) -> bool | None:
    return None if kind is None else kind in ("released", "lapsed")


def defector(kind: str | None) -> str | None:
    if kind is None:
        return None
    return {"released": "active", "lapsed": "passive", "payment_failure": "passive"}.get(kind, "none")


# -------------------------------------------------------------------------------------------------------- releases


def next_spell(client: Client, spell: Spell) -> Spell | None:
    return client.spells[spell.number] if spell.number < len(client.spells) else None


def releases_of(client: Client, config: Config) -> list[Release]:
    releases = []
    for spell in client.spells:
        if spell.exit_type != "released":
            continue
        request, following = spell.request, next_spell(client, spell)
        releases.append(
            Release(
                client,
                spell,
                released_on=spell.end,
                requested_at=request.requested_at if request else None,
                from_day=request.requested_on if request else spell.end,
                days_to_release=(request.completed_on - request.requested_on).days if request else None,
                returned_on=following.start if following else None,
            )
        )
    decisions: dict[int, list[str]] = {}
    for refund in client.refunds:
        asked_on = local_day(refund["requested_at"], config.zone)
        window = timedelta(days=config.refund_window_days)
        # AMBIGUOUS: both ends of the window count, and "precedes, by days" includes the same day.
        owners = [each for each in releases if each.from_day <= asked_on <= each.released_on + window]
        if owners:
            owner = max(owners, key=lambda each: each.spell.number)
            decision = known_decision(refund, config) or "undecided"
            decisions.setdefault(owner.spell.number, []).append(decision)
    for release in releases:
        found = decisions.get(release.spell.number, [])
        # AMBIGUOUS: "refused beats paid"; paid beats undecided is the reading.
        for decision in ("refused", "paid", "undecided"):
            if decision in found:
                release.refund_decision = decision
                break
        release.reason_code = exit_reason(client, release.spell, config)
        release.handling = handling(release, config)
    return releases


def known_decision(refund: Row, config: Config) -> str | None:
    """A decision without a date counts; one dated on or after as_of not yet."""
    decided_at = refund["decided_at"]
    if decided_at is not None and local_day(decided_at, config.zone) >= config.as_of:
        return None
    return refund["decision"]


def handling(release: Release, config: Config) -> str:
    request = release.spell.request
    # AMBIGUOUS: a release that only billing knows of is `unknown` even when a refund of it was refused.
    if request is None:
        return "unknown"
    if (
        release.days_to_release > config.obstruction_days
        or request.obstacle is not None
        or release.refund_decision == "refused"
    ):
        return "obstructed"
    return "bonus_offered" if request.bonus_offered else "free"


def exit_reason(client: Client, spell: Spell, config: Config) -> str:
    """The first answered interview with a reason, invited from the spell's start to before the next spell, by days."""
    following = next_spell(client, spell)
    answered = [
        interview
        for interview in client.interviews
        if interview["reason_code"] is not None
        and interview["answered_at"] is not None
        and local_day(interview["answered_at"], config.zone) < config.as_of
        and local_day(interview["invited_at"], config.zone) >= spell.start
        and (following is None or local_day(interview["invited_at"], config.zone) < following.start)
    ]
    if not answered:
        return "unknown"
    # AMBIGUOUS: "first answered" is by answered_at; of two at the same instant, first invited, then smaller key.
    return min(answered, key=lambda row: (row["answered_at"], row["invited_at"], row["interview_key"]))["reason_code"]


# ----------------------------------------------------------------------------------------------------------- money


def monthly_price(contract: Row, config: Config) -> Decimal:
    """Price per month in company currency, rounded once."""
    rate = config.rate(contract["currency"], contract["started_on"])
    return round_money(Fraction(contract["price"]) * rate * PER_MONTH[contract["billing_period"]])


def converted(row: Row, day: date, config: Config) -> Decimal:
    return round_money(Fraction(row["amount"]) * config.rate(row["currency"], day))


def spell_on(client: Client, day: date) -> Spell | None:
    return next((spell for spell in client.spells if spell.contains(day)), None)


def mrr_on(client: Client, day: date, config: Config) -> Decimal:
    spell = spell_on(client, day)
    if spell is None:
        return ZERO
    contracts = sum((cover.monthly_price for cover in spell.covers if cover.start <= day < cover.end), ZERO)
    month = first_of(day) if day == last_day(day) else add_months(first_of(day), -1)
    usage = ZERO
    for event in client.prepaid:
        occurred_on = local_day(event["occurred_at"], config.zone)
        if event["kind"] == "usage" and first_of(occurred_on) == month:
            # AMBIGUOUS: "rounded per contract": a prepaid event is rounded by itself.
            usage += converted(event, occurred_on, config)
    return contracts + usage


def lifetime_revenue(client: Client, config: Config) -> Decimal:
    """Succeeded payments less paid refunds, each at the rate of its day.

    AMBIGUOUS: the day of a paid refund is the day of the decision, or of the request when the decision has no date.
    """
    total = ZERO
    for payment in client.payments:
        if payment["status"] == "succeeded":
            total += converted(payment, local_day(payment["paid_at"], config.zone), config)
    for refund in client.refunds:
        if known_decision(refund, config) == "paid":
            moment = refund["decided_at"] or refund["requested_at"]
            total -= converted(refund, local_day(moment, config.zone), config)
    return total


# ----------------------------------------------------------------------------------------------------------- marts


def dim_clients(company: Company) -> list[Row]:
    as_of = company.as_of
    yesterday = as_of - timedelta(days=1)
    rows = []
    for client in company.clients.values():
        in_force = [
            row
            for row in client.assignments
            if row["role"] == "account_manager"
            and row["valid_from"] <= yesterday
            and (row["valid_to"] is None or yesterday < row["valid_to"])
        ]
        # AMBIGUOUS: of two managers since the same day, the smaller key.
        in_force.sort(key=lambda row: row["employee_key"])
        manager = max(in_force, key=lambda row: row["valid_from"])["employee_key"] if in_force else None
        spells = client.spells
        status = "never_active"
        if spells:
            status = spells[-1].exit_type if spells[-1].is_closed else "active"
        rows.append(
            {
                "client_id": client.client_id,
                **client.attributes,
                "manager_id": manager,
                "first_started_on": spells[0].start if spells else None,
                "status": status,
                "spells": len(spells),
                "mrr": mrr_on(client, yesterday, company.config),
                "lifetime_revenue": lifetime_revenue(client, company.config),
            }
        )
    return rows


def dim_employees(company: Company) -> list[Row]:
    return [
        {"employee_id": row["employee_key"], "department": row["department"], "is_head": row["is_head"]}
        for row in company.employees
    ]


def fct_spells(company: Company) -> list[Row]:
    return [
        {
            "client_id": client.client_id,
            "spell_number": spell.number,
            "started_on": spell.start,
            "ended_on": spell.ended_on,
            "exit_type": spell.exit_type,
            "is_regretted": is_regretted(spell.exit_type),
            "is_voluntary": is_voluntary(spell.exit_type),
            "defector": defector(spell.exit_type),
            "tenure_days": spell.tenure_days(company.as_of),
        }
        for client in company.clients.values()
        for spell in client.spells
    ]


def last_exit_by(client: Client, day: date) -> str | None:
    exits = [spell.exit_type for spell in client.spells if spell.is_closed and spell.end <= day]
    return exits[-1] if exits else None


def fct_client_months(company: Company) -> list[Row]:
    rows = []
    for client in company.clients.values():
        for month in company.months():
            opening_day, closing_day = month - timedelta(days=1), last_day(month)
            before, after = spell_on(client, opening_day), spell_on(client, closing_day)
            days = (month + timedelta(days=offset) for offset in range((closing_day - month).days + 1))
            if not (before or after or any(spell_on(client, day) for day in days)):
                continue
            opening_mrr = mrr_on(client, opening_day, company.config)
            closing_mrr = mrr_on(client, closing_day, company.config)
            change = closing_mrr - opening_mrr
            if before and after:
                movement = "expansion" if change > 0 else "contraction" if change < 0 else "retained"
            elif before:
                movement = "churned"
            elif after:
                # AMBIGUOUS: out → in by a later spell is `returned` even when spell 1 began in the same month.
                movement = "new" if after.number == 1 else "returned"
            else:
                movement = "joined_and_left"
            rows.append(
                {
                    "client_id": client.client_id,
                    "month": month,
                    "is_opening": before is not None,
                    "is_closing": after is not None,
                    "is_churned": movement == "churned",
                    "exit_type": last_exit_by(client, closing_day) if movement == "churned" else None,
                    "opening_mrr": opening_mrr,
                    "closing_mrr": closing_mrr,
                    "movement": movement,
                    "mrr_change": change,
                }
            )
    return rows


def fct_releases(company: Company) -> list[Row]:
    return [
        {
            "client_id": release.client.client_id,
            "spell_number": release.spell.number,
            "requested_at": release.requested_at,
            "released_on": release.released_on,
            "handling": release.handling,
            "days_to_release": release.days_to_release,
            "reason_code": release.reason_code,
            "refund_decision": release.refund_decision,
            "returned_on": release.returned_on,
            "days_to_return": release.days_to_return,
            "is_censored": release.returned_on is None,
        }
        for client in company.clients.values()
        for release in client.releases
    ]


def of_segment(company: Company, segment: str) -> list[Client]:
    return [client for client in company.clients.values() if segment in ("all", client.segment)]


def edge_12_months_before(company: Company, month: date) -> date | None:
    """The edge 12 months before the closing edge of a month; None when it lies before history."""
    edge = last_day(add_months(month, -12))
    return None if edge < company.history_starts_on else edge


def is_final(company: Company, month: date) -> bool:
    return last_day(month) + timedelta(days=company.config.grace_days) < company.as_of


def churn_monthly(company: Company) -> list[Row]:
    client_months = fct_client_months(company)
    segment_of = {client.client_id: client.segment for client in company.clients.values()}
    rows = []
    for month in company.months():
        closing_day = last_day(month)
        earlier = edge_12_months_before(company, month)
        for segment in company.levels():
            here = [
                row
                for row in client_months
                if row["month"] == month and segment in ("all", segment_of[row["client_id"]])
            ]
            movements = Counter(row["movement"] for row in here)
            exits = Counter(row["exit_type"] for row in here if row["is_churned"])
            row = {
                "month": month,
                "segment": segment,
                "opening_clients": sum(row["is_opening"] for row in here),
                "new_clients": movements["new"],
                "returned_clients": movements["returned"],
                "churned_clients": movements["churned"],
                "closing_clients": sum(row["is_closing"] for row in here),
                "regretted_churned_clients": movements["churned"] - exits["dismissed"],
                **{kind: exits[kind] for kind in EXIT_TYPES},
                "joined_and_left": movements["joined_and_left"],
                "opening_12m": None,
                "churned_12m": None,
                "regretted_churned_12m": None,
                "is_final": is_final(company, month),
            }
            if earlier is not None:
                then = [client for client in of_segment(company, segment) if spell_on(client, earlier)]
                gone = [client for client in then if not spell_on(client, closing_day)]
                row["opening_12m"] = len(then)
                row["churned_12m"] = len(gone)
                row["regretted_churned_12m"] = sum(last_exit_by(client, closing_day) != "dismissed" for client in gone)
            rows.append(row)
    return rows


def mrr_monthly(company: Company) -> list[Row]:
    client_months = fct_client_months(company)
    segment_of = {client.client_id: client.segment for client in company.clients.values()}
    rows = []
    for month in company.months():
        closing_day = last_day(month)
        earlier = edge_12_months_before(company, month)
        for segment in company.levels():
            here = [
                row
                for row in client_months
                if row["month"] == month and segment in ("all", segment_of[row["client_id"]])
            ]

            def total(column: str, movement: str | None = None, of: list[Row] = here) -> Decimal:
                return sum((row[column] for row in of if movement in (None, row["movement"])), ZERO)

            row = {
                "month": month,
                "segment": segment,
                "opening_mrr": total("opening_mrr"),
                "new_mrr": total("closing_mrr", "new"),
                "returned_mrr": total("closing_mrr", "returned"),
                "expansion_mrr": total("mrr_change", "expansion"),
                "contraction_mrr": -total("mrr_change", "contraction"),
                "churned_mrr": total("opening_mrr", "churned"),
                "closing_mrr": total("closing_mrr"),
                "mrr_12m_ago": None,
                "retained_mrr_12m": None,
                "mrr_now_of_12m_ago": None,
                "is_final": is_final(company, month),
            }
            if earlier is not None:
                pairs = [
                    (mrr_on(client, earlier, company.config), mrr_on(client, closing_day, company.config))
                    for client in of_segment(company, segment)
                ]
                pairs = [(then, now) for then, now in pairs if then > 0]
                row["mrr_12m_ago"] = sum((then for then, _ in pairs), ZERO)
                row["retained_mrr_12m"] = sum((min(then, now) for then, now in pairs), ZERO)
                row["mrr_now_of_12m_ago"] = sum((now for _, now in pairs), ZERO)
            rows.append(row)
    return rows


def all_releases(company: Company) -> list[Release]:
    return [release for client in company.clients.values() for release in client.releases]


def release_is_mature(release: Release, window: int, as_of: date) -> bool:
    return release.released_on + timedelta(days=window) < as_of


def returned_within(release: Release, window: int) -> bool:
    return release.days_to_return is not None and release.days_to_return <= window


def return_rates(company: Company) -> list[Row]:
    rows = []
    for month in company.months():
        for window in WINDOWS:
            for handled in HANDLINGS:
                for segment in company.levels():
                    here = [
                        release
                        for release in all_releases(company)
                        if first_of(release.released_on) == month
                        and handled in ("all", release.handling)
                        and segment in ("all", release.client.segment)
                    ]
                    mature = [release for release in here if release_is_mature(release, window, company.as_of)]
                    is_mature = last_day(month) + timedelta(days=window) < company.as_of
                    returned = sum(returned_within(release, window) for release in mature)
                    rows.append(
                        {
                            "month": month,
                            "window_days": window,
                            "handling": handled,
                            "segment": segment,
                            "releases": len(here),
                            "mature_releases": len(mature),
                            "returned": returned if is_mature or mature else None,
                            "is_mature": is_mature,
                        }
                    )
    return rows


def tenure_band(days: int) -> str:
    if days < 100:
        return "under_100_days"
    if days < 365:
        return "to_1_year"
    return "to_2_years" if days < 730 else "longer"


def dimensions(release: Release, as_of: date) -> dict[str, str]:
    return {
        "all": "all",
        "handling": release.handling,
        "reason": release.reason_code,
        "segment": release.client.segment,
        "tenure_band": tenure_band(release.spell.tenure_days(as_of)),
        "refund": release.refund_decision,
    }


def by_level(company: Company) -> dict[tuple[str, str], list[Release]]:
    """AMBIGUOUS: an explicit history_starts_on does not take releases out of the summary and the curve."""
    groups: dict[tuple[str, str], list[Release]] = {}
    for release in all_releases(company):
        for pair in dimensions(release, company.as_of).items():
            groups.setdefault(pair, []).append(release)
    return groups


def wilson(successes: int, n: int) -> tuple[float, float]:
    share = successes / n
    denominator = 1 + Z * Z / n
    centre = (share + Z * Z / (2 * n)) / denominator
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / denominator
    return centre - half, centre + half


def return_summary(company: Company) -> list[Row]:
    rows = []
    for (dimension, name), releases in by_level(company).items():
        for window in WINDOWS:
            mature = [release for release in releases if release_is_mature(release, window, company.as_of)]
            if not mature:
                continue
            returned = sum(returned_within(release, window) for release in mature)
            low, high = wilson(returned, len(mature))
            rows.append(
                {
                    "window_days": window,
                    "dimension": dimension,
                    "level": name,
                    "mature_releases": len(mature),
                    "returned": returned,
                    "return_rate": returned / len(mature),
                    "ci_low": low,
                    "ci_high": high,
                }
            )
    return rows


def time_to_return(release: Release, company: Company) -> tuple[int, bool]:
    """(days, is_event): the return, or where we stop seeing the client.

    AMBIGUOUS: a closing of the legal entity censors only after the release (one on or before the released spell's
    start is long past and says nothing about this release).
    AMBIGUOUS: released_on = as_of is possible (`ended_on <= as_of` is closed): such a release is censored on day -1
    and is at risk on no day.
    """
    closed_at = release.client.closed_at
    closed_on = None if closed_at is None else local_day(closed_at, company.config.zone)
    seen_until = release.returned_on or company.as_of
    if closed_on is not None and release.released_on < closed_on < seen_until:
        return (closed_on - release.released_on).days, False
    if release.returned_on is not None:
        return release.days_to_return, True
    return (company.as_of - timedelta(days=1) - release.released_on).days, False


def kaplan_meier(times: list[tuple[int, bool]], min_at_risk: int) -> list[Row]:
    """Rows for every day from 0 while at_risk >= min_at_risk; events come before censoring at equal times."""
    rows, survival, greenwood, day = [], 1.0, 0.0, 0
    survivors = Fraction(1)  # exact, so that "S is 0 or 1" is not a question of floating point
    while True:
        at_risk = sum(time >= day for time, _ in times)
        if at_risk < min_at_risk or at_risk == 0:
            return rows
        events = sum(time == day and is_event for time, is_event in times)
        survivors *= 1 - Fraction(events, at_risk)
        survival = float(survivors)
        if events and at_risk > events:
            greenwood += events / (at_risk * (at_risk - events))
        low = high = None
        if 0 < survivors < 1:
            spread = Z * math.sqrt(greenwood) / abs(math.log(survival))
            low, high = 1 - survival ** math.exp(-spread), 1 - survival ** math.exp(spread)
        rows.append(
            {
                "day": day,
                "at_risk": at_risk,
                "returned": events,
                "cumulative_return": float(1 - survivors),
                "ci_low": low,
                "ci_high": high,
            }
        )
        day += 1


def return_curve(company: Company) -> list[Row]:
    rows = []
    for (dimension, name), releases in by_level(company).items():
        times = [time_to_return(release, company) for release in releases]
        for row in kaplan_meier(times, company.config.min_at_risk):
            rows.append({"dimension": dimension, "level": name, **row})
    return rows


def retention_cohorts(company: Company) -> list[Row]:
    """AMBIGUOUS: the grid has a row for every month × segment, also for a cohort nobody started in (size 0)."""
    rows = []
    months = company.months()
    for cohort_month in months:
        for segment in company.levels():
            cohort = [
                client
                for client in of_segment(company, segment)
                if client.spells and first_of(client.spells[0].start) == cohort_month
            ]
            month0 = sum((mrr_on(client, last_day(cohort_month), company.config) for client in cohort), ZERO)
            for number, month in enumerate(month for month in months if month >= cohort_month):
                edge = last_day(month)
                rows.append(
                    {
                        "cohort_month": cohort_month,
                        "segment": segment,
                        "month_number": number,
                        "cohort_size": len(cohort),
                        "active_clients": sum(spell_on(client, edge) is not None for client in cohort),
                        "unbroken_clients": sum(client.spells[0].contains(edge) for client in cohort),
                        "cohort_mrr": sum((mrr_on(client, edge, company.config) for client in cohort), ZERO),
                        "month0_mrr": month0,
                    }
                )
    return rows


def first_100_days(company: Company) -> list[Row]:
    """AMBIGUOUS: `started` is a plain count of first spells that began in the month, also while it is immature."""
    rows = []
    for month in company.months():
        is_mature = last_day(month) + timedelta(days=100) <= company.as_of
        for segment in company.levels():
            firsts = [
                client.spells[0]
                for client in of_segment(company, segment)
                if client.spells and first_of(client.spells[0].start) == month
            ]
            early = sum(spell.is_closed and spell.tenure_days(company.as_of) < 100 for spell in firsts)
            rows.append(
                {
                    "month": month,
                    "segment": segment,
                    "started": len(firsts),
                    "churned_within_100": early if is_mature else None,
                    "is_mature": is_mature,
                }
            )
    return rows


def quarantine(company: Company) -> list[Row]:
    """Rows put aside, by entity and rule."""
    return [
        {"entity": name, "rule": rule, "rows": count}
        for name, table in company.tables.items()
        for rule, count in table.quarantined.items()
    ]


def pipeline_health(company: Company) -> list[Row]:
    """The counts that the page defines without doubt. Unmatched keys are compared by hand (rows or keys?)."""
    return [
        {
            "entity": name,
            "rows_landed": table.landed,
            "rows_in_warehouse": len(table.rows),
            "rows_quarantined": sum(table.quarantined.values()),
        }
        for name, table in company.tables.items()
    ]


MARTS: dict[str, Any] = {
    "dim_clients": (dim_clients, ("client_id",)),
    "dim_employees": (dim_employees, ("employee_id",)),
    "fct_spells": (fct_spells, ("client_id", "spell_number")),
    "fct_client_months": (fct_client_months, ("client_id", "month")),
    "fct_releases": (fct_releases, ("client_id", "spell_number")),
    "churn_monthly": (churn_monthly, ("month", "segment")),
    "mrr_monthly": (mrr_monthly, ("month", "segment")),
    "return_rates": (return_rates, ("month", "window_days", "handling", "segment")),
    "return_summary": (return_summary, ("window_days", "dimension", "level")),
    "return_curve": (return_curve, ("dimension", "level", "day")),
    "retention_cohorts": (retention_cohorts, ("cohort_month", "segment", "month_number")),
    "first_100_days": (first_100_days, ("month", "segment")),
}  # the marts of all families are put together in marts.py
