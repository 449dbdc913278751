"""The canonical contract, read in plain Python: files, types, quarantine and versions.

Written from the text of the contract alone, as an oracle: it shares nothing with the product.
A paragraph that can be read in two ways is marked `AMBIGUOUS:` with the reading taken here.
"""

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

REASON_CODES = (
    "unresponsive_support",
    "price_and_fees",
    "ignored_feedback",
    "broken_promises",
    "rigid_policy",
    "impersonal_treatment",
    "quality",
    "privacy",
    "not_adapting",
    "rude_communication",
    "untrained_staff",
    "outage_miscommunication",
    "over_selling",
    "too_many_contacts",
    "contradictory_information",
    "competitor_offer",
    "business_closed",
    "other",
)


@dataclass(frozen=True)
class Column:
    """One column of the contract: its type, whether it may be empty, and its codes if it has a list of them."""

    name: str
    type: str  # text, timestamp, date, decimal, score, integer, boolean
    required: bool = True
    codes: tuple[str, ...] = ()
    is_currency: bool = False


@dataclass(frozen=True)
class Entity:
    """One entity of the contract. `pairs` are the intervals in which the end may not come before the start."""

    name: str
    domain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    end_must_be_later: bool = False  # `end <= start` is reversed, otherwise `end < start`
    not_negative: str | None = None


def _text(name: str, required: bool = True, codes: tuple[str, ...] = ()) -> Column:
    return Column(name, "text", required, codes)


def _at(name: str, required: bool = True) -> Column:
    return Column(name, "timestamp", required)


def _on(name: str, required: bool = True) -> Column:
    return Column(name, "date", required)


def _money(name: str) -> Column:
    return Column(name, "decimal")


def _flag(name: str, required: bool = True) -> Column:
    return Column(name, "boolean", required)


CURRENCY = Column("currency", "text", required=False, is_currency=True)

ENTITIES = {
    entity.name: entity
    for entity in (
        Entity(
            "clients",
            "crm",
            (
                _text("client_key"),
                _text("name"),
                _text("segment", False),
                _text("size_band", False),
                _text("region", False),
                _text("acquisition_channel", False),
                _at("registered_at"),
                _at("closed_at", False),
                _flag("marketing_consent", False),
            ),
            ("client_key",),
            (("registered_at", "closed_at"),),
        ),
        Entity(
            "client_links",
            "crm",
            (_text("source"), _text("source_key"), _text("client_key")),
            ("source", "source_key"),
        ),
        Entity(
            "employees",
            "crm",
            (
                _text("employee_key"),
                _text("full_name"),
                _text("department"),
                _flag("is_head"),
                _on("active_from", False),
                _on("active_to", False),
            ),
            ("employee_key",),
            (("active_from", "active_to"),),
            end_must_be_later=True,
        ),
        Entity(
            "manager_assignments",
            "crm",
            (
                _text("client_key"),
                _text("employee_key"),
                _text("role", codes=("sales", "account_manager")),
                _on("valid_from"),
                _on("valid_to", False),
            ),
            ("client_key", "employee_key", "role", "valid_from"),
            (("valid_from", "valid_to"),),
            end_must_be_later=True,
        ),
        Entity(
            "deals",
            "crm",
            (
                _text("deal_key"),
                _text("client_key"),
                _text("employee_key"),
                _text("stage", codes=("open", "won", "lost")),
                _money("amount"),
                CURRENCY,
                _at("created_at"),
                _at("closed_at", False),
            ),
            ("deal_key",),
            (("created_at", "closed_at"),),
        ),
        Entity(
            "contacts",
            "crm",
            (
                _text("contact_key"),
                _text("client_key"),
                _text("employee_key", False),
                _text("direction", codes=("inbound", "outbound")),
                _text("channel", codes=("call", "email", "chat", "meeting")),
                _text(
                    "purpose",
                    codes=("sales", "welcome", "service", "upsell", "win_back", "invitation", "fix_notice", "other"),
                ),
                _at("occurred_at"),
            ),
            ("contact_key",),
        ),
        Entity(
            "termination_requests",
            "crm",
            (
                _text("request_key"),
                _text("client_key"),
                _at("requested_at"),
                _text("outcome", False, ("released", "retained", "withdrawn")),
                _at("completed_at", False),
                _flag("bonus_offered"),
                _text("obstacle", False),
            ),
            ("request_key",),
            (("requested_at", "completed_at"),),
        ),
        Entity(
            "dismissals",
            "crm",
            (
                _text("client_key"),
                _at("dismissed_at"),
                _text("reason", codes=("illegal_use", "abuse", "blackmail", "unprofitable")),
                _text("decided_by", False),
            ),
            ("client_key", "dismissed_at"),
        ),
        Entity(
            "exit_interviews",
            "crm",
            (
                _text("interview_key"),
                _text("client_key"),
                _at("invited_at"),
                # AMBIGUOUS: `channel` has codes for contacts and none here; free text is the reading.
                _text("channel"),
                _at("answered_at", False),
                _text("reason_code", False, REASON_CODES),
                # AMBIGUOUS: the type of `would_return` is not said; boolean is the reading.
                _flag("would_return", False),
            ),
            ("interview_key",),
            (("invited_at", "answered_at"),),
        ),
        Entity(
            "reason_fixes",
            "crm",
            (
                _text("fix_key"),
                _text("reason_code", codes=REASON_CODES),
                _text("owner_department"),
                _on("planned_on", False),
                _on("fixed_on", False),
            ),
            ("fix_key",),
            # planned/fixed is not in the list of pairs: fixed before the plan is good news, not an error.
        ),
        Entity(
            "mailings",
            "crm",
            (
                _text("mailing_key"),
                _text("client_key"),
                _at("sent_at"),
                _at("opened_at", False),
                _at("unsubscribed_at", False),
            ),
            ("mailing_key",),
            # AMBIGUOUS: `sent/opened/unsubscribed` is read as two pairs from the first, not as a chain of three.
            (("sent_at", "opened_at"), ("sent_at", "unsubscribed_at")),
        ),
        Entity(
            "contracts",
            "billing",
            (
                _text("contract_key"),
                _text("client_key"),
                _text("plan"),
                _money("price"),
                CURRENCY,
                _text("billing_period", codes=("week", "month", "quarter", "year")),
                _on("started_on"),
                _on("ended_on", False),
                _text("end_reason", False, ("request", "non_payment", "dismissed", "expired")),
                _flag("is_trial"),
            ),
            ("contract_key",),
            (("started_on", "ended_on"),),
            end_must_be_later=True,
            not_negative="price",
        ),
        Entity(
            "prepaid_events",
            "billing",
            (
                _text("event_key"),
                _text("client_key"),
                _text("kind", codes=("top_up", "usage")),
                _money("amount"),
                CURRENCY,
                _at("occurred_at"),
            ),
            ("event_key",),
            not_negative="amount",
        ),
        Entity(
            "invoices",
            "billing",
            (
                _text("invoice_key"),
                _text("client_key"),
                _at("issued_at"),
                _at("due_at"),
                _money("total"),
                CURRENCY,
                _at("disputed_at", False),
            ),
            ("invoice_key",),
            (("issued_at", "due_at"),),
        ),
        Entity(
            "invoice_lines",
            "billing",
            (
                _text("invoice_key"),
                Column("line_no", "integer"),
                _text("kind", codes=("subscription", "usage", "fee", "discount")),
                _money("amount"),
            ),
            ("invoice_key", "line_no"),
        ),
        Entity(
            "payments",
            "billing",
            (
                _text("payment_key"),
                _text("client_key"),
                _text("invoice_key", False),
                _money("amount"),
                CURRENCY,
                _text("status", codes=("succeeded", "failed")),
                _at("paid_at"),
            ),
            ("payment_key",),
        ),
        Entity(
            "refunds",
            "billing",
            (
                _text("refund_key"),
                _text("client_key"),
                _at("requested_at"),
                _money("amount"),
                CURRENCY,
                _text("decision", False, ("paid", "refused")),
                _at("decided_at", False),
            ),
            ("refund_key",),
            (("requested_at", "decided_at"),),
        ),
        Entity(
            "tickets",
            "tickets",
            (
                _text("ticket_key"),
                _text("client_key"),
                _text("queue"),
                _text("topic", False),
                _text("sla_class", codes=("ours", "third_party")),
                _at("opened_at"),
                _text("opened_by", codes=("client", "employee")),
            ),
            ("ticket_key",),
        ),
        Entity(
            "ticket_events",
            "tickets",
            (
                _text("event_key"),
                _text("ticket_key"),
                _text("kind", codes=("owner_changed", "solved", "reopened", "closed", "promise_changed")),
                _text("employee_key", False),
                _at("occurred_at"),
                _text("new_value", False),
            ),
            ("event_key",),
        ),
        Entity(
            "messages",
            "tickets",
            (
                _text("message_key"),
                _text("ticket_key"),
                _text("author", codes=("client", "employee", "auto")),
                _text("employee_key", False),
                _at("sent_at"),
            ),
            ("message_key",),
        ),
        Entity(
            "feedback",
            "tickets",
            (
                _text("feedback_key"),
                _text("client_key"),
                _text("kind", codes=("operator_rating", "review", "survey", "complaint", "idea", "praise")),
                Column("score", "score", False),
                _flag("is_public"),
                _text("ticket_key", False),
                _text("employee_key", False),
                _at("submitted_at"),
                _at("answered_at", False),
                _at("acted_on_at", False),
            ),
            ("feedback_key",),
            # AMBIGUOUS: as for mailings, pairs from the first; acting before answering is not an error.
            (("submitted_at", "answered_at"), ("submitted_at", "acted_on_at")),
        ),
    )
}

EARLIEST_DAY = date(1990, 1, 1)
LATEST_DAY = date(2100, 12, 31)
MONEY_LIMIT = Decimal(10) ** 16  # decimal(18, 2) holds 16 digits before the point
CENT = Decimal("0.01")

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


class Unreadable(ValueError):
    """The text is no value of the column's type."""


def _of_a_spreadsheet(text: str, kind: str) -> str:
    """Days with points and numbers with a comma, where they can be read in one way only, in the spelling of ISO."""
    if kind in ("date", "timestamp"):
        return re.sub(r"^(\d\d)\.(\d\d)\.(\d{4})(?=$| \d\d:\d\d(:\d\d)?$)", r"\3-\2-\1", text)
    groups = r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+"
    if kind in ("decimal", "score", "integer") and re.fullmatch(rf"[+-]?(?:\d+|{groups})(?:,\d+)?", text):
        return re.sub("[ \u00a0\u202f]", "", text).replace(",", ".")
    return text


def read_value(text: str, kind: str, zone: ZoneInfo) -> Any:
    """Returns the typed value of a non-empty text; timestamps come back aware, in UTC.

    AMBIGUOUS: how liberal reading may be is not said. Here: ISO dates or `dd.mm.yyyy`, `true`/`false`, a point or
    a comma as decimal mark, nothing that could be read in two ways.
    AMBIGUOUS: a bare date in a timestamp column is read as its midnight (ISO 8601 allows the reduced form).
    """
    if kind == "text":
        return text
    text = _of_a_spreadsheet(text, kind)
    if kind == "boolean":
        if text in ("true", "false"):
            return text == "true"
        raise Unreadable(text)
    if kind == "integer":
        if re.fullmatch(r"[+-]?\d+", text):
            return int(text)
        raise Unreadable(text)
    if kind in ("decimal", "score"):
        if not _NUMBER.fullmatch(text):
            raise Unreadable(text)
        number = Decimal(text)
        # A score too large for its type is out of range, not unreadable; money too large for its type has no such rule.
        if kind == "decimal" and abs(number) >= MONEY_LIMIT:
            raise Unreadable(text)
        return number
    if kind == "date":
        if not _DATE.fullmatch(text):
            raise Unreadable(text)
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise Unreadable(text) from error
    if kind == "timestamp":
        if not _TIMESTAMP.fullmatch(text):
            raise Unreadable(text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise Unreadable(text) from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        try:
            return moment.astimezone(UTC)
        except OverflowError:  # the year 1 or 9999 at the edge of the calendar: out of range whatever the zone
            return moment.replace(tzinfo=UTC)
    raise AssertionError(kind)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The company's day on which an instant falls."""
    try:
        return moment.astimezone(zone).date()
    except OverflowError:
        return moment.date()


@dataclass(frozen=True)
class Rate:
    currency: str
    valid_from: date
    rate: Decimal


@dataclass
class Config:
    """The vars of metrics.md, with their defaults, and the company's regular working week."""

    as_of: date
    company_timezone: str = "Europe/Moscow"
    company_currency: str = "RUB"
    lapse_days: int = 90
    grace_days: int = 7
    obstruction_days: int = 14
    refund_window_days: int = 30
    min_at_risk: int = 10
    history_starts_on: date | None = None
    working_days: tuple[str, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri")
    opens_at: str = "09:00"
    closes_at: str = "18:00"  # 24:00 is midnight
    margin_share: Decimal = Decimal("0.6")
    rates: list[Rate] = field(default_factory=list)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.company_timezone)

    def has_rate(self, currency: str) -> bool:
        return currency == self.company_currency or any(rate.currency == currency for rate in self.rates)

    def rate(self, currency: str | None, day: date) -> Fraction:
        """Company-currency units per unit of `currency` on a day: the latest rate valid by then, else the earliest."""
        if currency is None or currency == self.company_currency:
            return Fraction(1)
        rates = sorted((rate for rate in self.rates if rate.currency == currency), key=lambda rate: rate.valid_from)
        valid = [rate for rate in rates if rate.valid_from <= day]
        return Fraction((valid[-1] if valid else rates[0]).rate)


def round_money(amount: Fraction) -> Decimal:
    """Rounds half away from zero to kopecks, exactly."""
    sign = -1 if amount < 0 else 1
    kopecks = abs(amount) * 100
    whole = kopecks.numerator // kopecks.denominator
    if kopecks - whole >= Fraction(1, 2):
        whole += 1
    return (Decimal(sign * whole) / 100).quantize(CENT, ROUND_HALF_UP)


Row = dict[str, Any]


@dataclass
class Table:
    """What became of one file: the rows that hold now, and how many were landed and quarantined by rule."""

    rows: list[Row] = field(default_factory=list)
    landed: int = 0
    quarantined: Counter = field(default_factory=Counter)


def judge(raw: dict[str, str], entity: Entity, config: Config) -> tuple[str | None, Row]:
    """Returns the first rule that a row breaks (None if it is valid) and the typed row.

    AMBIGUOUS: "the first that it breaks, columns in order" is read as: rules in the order of the text, and within a
    rule the columns in order. A row with an unreadable date *and* an unknown code in an earlier column is
    `unreadable_value`.
    """
    columns = [*entity.columns, _at("updated_at", False)]
    texts = {column.name: raw.get(column.name) or None for column in columns}
    for column in columns:
        if column.required and texts[column.name] is None:
            return f"missing_{column.name}", {}
    row: Row = {}
    for column in columns:
        text = texts[column.name]
        try:
            row[column.name] = None if text is None else read_value(text, column.type, config.zone)
        except Unreadable:
            return "unreadable_value", {}
    for column in columns:
        value = row[column.name]
        if value is not None and column.type in ("date", "timestamp"):
            # AMBIGUOUS: the day of a timestamp near the limits is the company's.
            day = local_day(value, config.zone) if column.type == "timestamp" else value
            if not EARLIEST_DAY <= day <= LATEST_DAY:
                return "date_out_of_range", {}
    for column in columns:
        value = row[column.name]
        # AMBIGUOUS: the range is judged on the number as written, before it is rounded to decimal(3, 2).
        if column.type == "score" and value is not None and not 1 <= value <= 5:
            return "score_out_of_range", {}
    if entity.not_negative and row[entity.not_negative] < 0:
        return "negative_price", {}
    for column in columns:
        value = row[column.name]
        if value is None:
            continue
        if column.codes and value not in column.codes:
            return "unknown_code", {}
        if column.is_currency and not config.has_rate(value):
            return "unknown_code", {}
    for start, end in entity.pairs:
        if row[start] is None or row[end] is None:
            continue
        if row[end] < row[start] or (entity.end_must_be_later and row[end] == row[start]):
            return "reversed_interval", {}
    return None, row


def read_table(folder: Path, entity: Entity, config: Config) -> Table:
    """Reads one file of the folder; an absent file is an empty table. Rows are versions: one per key is kept."""
    path = folder / f"{entity.name}.csv"
    table = Table()
    if not path.exists():
        return table
    never = datetime.min.replace(tzinfo=UTC)
    latest: dict[tuple, tuple[tuple[datetime, int], Row]] = {}
    with path.open(encoding="utf-8-sig", newline="") as handle:
        header = handle.readline()
        handle.seek(0)
        delimiter = ";" if header.count(";") > header.count(",") else ","
        for position, raw in enumerate(csv.DictReader(handle, delimiter=delimiter)):
            table.landed += 1
            rule, row = judge(raw, entity, config)
            if rule is not None:
                table.quarantined[rule] += 1
                continue
            key = tuple(row[column] for column in entity.key)
            rank = (row["updated_at"] or never, position)
            if key not in latest or rank > latest[key][0]:
                latest[key] = (rank, row)
    table.rows = [row for _, row in latest.values()]
    return table


PROJECT_SEEDS = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds"


def read_seed(folder: Path, name: str) -> list[dict[str, str | None]]:
    """Rows of a seed: the company's own in `seeds/`, else the project's. An empty cell is None."""
    path = folder / "seeds" / f"{name}.csv"
    if not path.exists():
        path = PROJECT_SEEDS / f"{name}.csv"
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return [{column: text or None for column, text in row.items()} for row in csv.DictReader(handle)]


def read_rates(folder: Path) -> list[Rate]:
    """Rates of exchange, the company's own or the project's: currency, valid_from, company-currency units per unit."""
    return [
        Rate(row["currency"], date.fromisoformat(row["valid_from"]), Decimal(row["rate"]))
        for row in read_seed(folder, "exchange_rates")
    ]


def read_company(folder: Path, config: Config) -> dict[str, Table]:
    """Reads every entity of a folder of canonical CSV files."""
    config.rates = config.rates or read_rates(folder)
    return {name: read_table(folder, entity, config) for name, entity in ENTITIES.items()}


def day_before(day: date) -> date:
    return day - timedelta(days=1)
