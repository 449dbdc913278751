"""Small companies made to be nasty: folders of canonical CSV files in which rare things are common.

Dates cluster around a few days per client, so that boundaries collide: gaps of 7 and 8 days, cuts on the first and the
last day of a cover, top-ups a second before and after a cut, requests in the grace days, late paperwork, versions that
arrive out of order. Everything is drawn from one seed; the same seed gives the same bytes.
"""

import csv
import random
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.reference import nasty_life, nasty_service
from tests.reference.reading import ENTITIES, REASON_CODES, Entity

Row = dict[str, str]

# None of these wall times is skipped or repeated by a clock change in the zones that the tests use.
TIMES = [time(0, 0), time(0, 0, 1), time(0, 30), time(9), time(12), time(12, 0, 1), time(18, 15), time(23, 30)]
TIMES += [time(23, 59, 59)]
GAPS = [0, 0, 1, 3, 6, 7, 7, 8, 8, 9, 15, 30, 31, 60, 91]
OFFSETS = [-30, -15, -14, -8, -7, -6, -1, 0, 0, 0, 1, 6, 7, 8, 14, 15, 29, 30, 31]
# 100.02 a year is 8.335 a month: a tie that binary floating point gets wrong.
PRICES = ["100", "99.99", "0.01", "1000.05", "250.50", "100.02", "33.30", "7", "0", "0.00"]
SEGMENTS = ["retail", "agency", "all", "unknown", "", "VIP, gold"]

# Readings on which the text is silent; a company contains them only when asked to.
CONTESTED = (
    "bare_date",  # a date without a time in a timestamp column
    "subkopeck",  # prices with three decimals
    "files_link",  # client_links whose source is the name `files`
    "link_to_missing",  # a link to a client that is not in clients
    "future_registered",  # clients registered on or after as_of
    "future_employee",  # employees active from as_of or later
    "crm_row_of_foreign_client",  # a dismissal or request of a client that only billing knows
    "manager_tie",  # two account managers since the same day
)


@dataclass
class Nasty:
    """One company in the making."""

    seed: int
    as_of: date
    clients: int = 40
    zone: str = "Europe/Moscow"
    currency: str = "RUB"
    span_days: int = 900
    lapse_days: int = 90
    broken: bool = True
    working_days: tuple[str, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri")
    opens_at: str = "09:00"
    closes_at: str = "18:00"
    own_seeds: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    contested: frozenset[str] = frozenset()
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.tables = {name: [] for name in ENTITIES}
        self.first_day = self.as_of - timedelta(days=self.span_days)
        self.billing_keys: dict[str, list[str]] = {}
        self.ticket_keys: dict[str, list[str]] = {}
        self.edges: dict[str, list[date]] = {}  # first and last days of a client's covers
        if "calendar_exceptions" in self.own_seeds:
            self.own_seeds["calendar_exceptions"] = nasty_service.exceptions(self.first_day, self.as_of, self.seed)
        self.own_seeds.setdefault("dated_events", nasty_life.dated_events(self))

    # ---------------------------------------------------------------------------------------------- small helpers

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def stream(self, name: str) -> None:
        """Draws from here on come from a stream of that name: more rows elsewhere do not change them."""
        self.rng = random.Random(f"{self.seed} {name}")

    def day(self) -> date:
        return self.first_day + timedelta(days=self.rng.randrange(self.span_days + 20))

    def near(self, day: date, offsets: list[int] = OFFSETS) -> date:
        return day + timedelta(days=self.rng.choice(offsets))

    def moment(self, day: date, at: time | None = None) -> datetime:
        """An instant on a company day."""
        return datetime.combine(day, at or self.rng.choice(TIMES), ZoneInfo(self.zone))

    def text(self, moment: datetime) -> str:
        """One of the ways in which a system may write an instant."""
        local = moment.astimezone(ZoneInfo(self.zone))
        if "bare_date" in self.contested and local.time() == time(0, 0) and self.chance(0.5):
            return local.date().isoformat()
        if local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset():
            return moment.astimezone(UTC).isoformat()  # a wall time that a clock change repeats
        naive = local.replace(tzinfo=None)
        ways = [
            naive.isoformat(),
            naive.isoformat(sep=" "),
            local.isoformat(),
            local.isoformat(sep=" "),
            moment.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            moment.astimezone(timezone(timedelta(hours=-7))).isoformat(),
            moment.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat(),
        ]
        return self.rng.choice(ways)

    def stamp(self, day: date, at: time | None = None) -> str:
        return self.text(self.moment(day, at))

    def add(self, entity: str, **values: str) -> Row:
        row = dict(values)
        key = ENTITIES[entity].key
        if len(key) == 1:
            row.setdefault(key[0], f"{entity[:3]}-{len(self.tables[entity]) + 1}")
        self.tables[entity].append(row)
        return row

    def money(self) -> Row:
        price = self.rng.choice(PRICES + (["33.335", "0.005", "10.1250"] if "subkopeck" in self.contested else []))
        currency = self.rng.choice(["", "", "", self.currency, "USD", "EUR", "JPY"])
        return {"price": price, "currency": currency}

    def amount(self) -> Row:
        values = self.money()
        return {"amount": values["price"], "currency": values["currency"]}

    def billing_key(self, client: str) -> str:
        return self.rng.choice(self.billing_keys.get(client, [client]))

    def ticket_key(self, client: str) -> str:
        return self.rng.choice(self.ticket_keys.get(client, [client]))

    # ------------------------------------------------------------------------------------------------------- facts

    def contract(self, client: str, start: date, end: date | None) -> None:
        reasons = ["", "", "request", "request", "non_payment", "non_payment", "dismissed", "expired"]
        if end is not None and end <= start:
            end = start + timedelta(days=1)
        self.add(
            "contracts",
            client_key=self.billing_key(client),
            plan=self.rng.choice(["basic", "pro"]),
            **self.money(),
            billing_period=self.rng.choice(["week", "month", "month", "month", "quarter", "year"]),
            started_on=start.isoformat(),
            ended_on="" if end is None else end.isoformat(),
            end_reason=self.rng.choice(reasons) if end is not None or self.chance(0.2) else "",
            is_trial="true" if self.chance(0.06) else "false",
        )

    def prepaid(self, client: str, day: date, at: time | None = None) -> None:
        self.add(
            "prepaid_events",
            client_key=self.billing_key(client),
            kind=self.rng.choice(["top_up", "usage", "usage"]),
            **self.amount(),
            occurred_at=self.stamp(day, at),
        )

    def request(self, client: str, day: date) -> None:
        asked = self.moment(day)
        outcome = self.rng.choice(["released"] * 6 + ["retained", "withdrawn", ""])
        completed = ""
        if self.chance(0.93):
            later = self.rng.choice([0, 0, 1, 3, 7, 8, 14, 15, 16, 20, 40])
            done = max(asked, self.moment(day + timedelta(days=later)))
            completed = self.text(done)
            if self.chance(0.35):  # something of the account's on the day of completion, around the instant
                self.prepaid(client, (done + timedelta(seconds=self.rng.choice([-1, 0, 1]))).date(), done.time())
        self.add(
            "termination_requests",
            client_key=client,
            requested_at=self.text(asked),
            outcome=outcome,
            completed_at=completed,
            bonus_offered=self.rng.choice(["true", "false", "false"]),
            obstacle=self.rng.choice(["", "", "", "asked for a stamp"]),
        )
        for _ in range(self.rng.choice([0, 0, 1, 1, 2])):
            self.refund(client, self.near(day))
        for _ in range(self.rng.choice([0, 0, 1, 2])):
            self.interview(client, self.near(day))

    def refund(self, client: str, day: date) -> None:
        asked = self.moment(day)
        decision = self.rng.choice(["", "paid", "paid", "refused"])
        decided = max(asked, self.moment(day + timedelta(days=self.rng.choice([0, 1, 5, 30, 60]))))
        self.add(
            "refunds",
            client_key=self.billing_key(client),
            requested_at=self.text(asked),
            **self.amount(),
            decision=decision,
            decided_at=self.text(decided) if decision and self.chance(0.75) else "",
        )

    def interview(self, client: str, day: date) -> None:
        invited = self.moment(day)
        answered = max(invited, self.moment(day + timedelta(days=self.rng.choice([0, 1, 14, 15, 40]))))
        self.add(
            "exit_interviews",
            client_key=client,
            invited_at=self.text(invited),
            channel=self.rng.choice(["email", "pigeon"]),
            answered_at=self.text(answered) if self.chance(0.7) else "",
            reason_code=self.rng.choice(["", *REASON_CODES[:4]]),
            would_return=self.rng.choice(["", "true", "false"]),
        )

    def dismissal(self, client: str, day: date) -> None:
        self.add(
            "dismissals",
            client_key=client,
            dismissed_at=self.stamp(day),
            reason=self.rng.choice(["illegal_use", "abuse", "blackmail", "unprofitable"]),
            decided_by=self.rng.choice(["", "e1"]),
        )

    # ------------------------------------------------------------------------------------------------------- lives

    def life(self, client: str) -> None:
        """A chain of covers with awkward gaps, then facts around every edge of it."""
        style = self.rng.choice(["contracts", "contracts", "prepaid", "both", "chaos"])
        edges: list[date] = []
        today = self.day() if self.chance(0.5) else self.first_day + timedelta(days=self.rng.randrange(200))
        if style == "chaos":
            anchors = [self.day() for _ in range(self.rng.choice([1, 2, 3]))]
            for _ in range(self.rng.randrange(3, 9)):
                start = self.near(self.rng.choice(anchors))
                if self.chance(0.5):
                    end = self.near(self.rng.choice(anchors)) if self.chance(0.8) else None
                    self.contract(client, start, end)
                    edges += [start, end or start]
                else:
                    self.prepaid(client, start)
                    edges += [start, start + timedelta(days=self.lapse_days)]
        else:
            for _ in range(self.rng.randrange(1, 6)):
                if style == "contracts" or (style == "both" and self.chance(0.5)):
                    days = self.rng.choice([1, 7, 14, 30, 31, 59, 99, 100, 101, 180, 365])
                    end = today + timedelta(days=days)
                    open_end = self.chance(0.12)
                    self.contract(client, today, None if open_end else end)
                    if self.chance(0.25):  # a second contract over the first
                        start = self.near(today, [-8, 0, 1, 10, 30])
                        self.contract(client, start, self.near(end, [-7, -1, 0, 0, 1, 7]))
                else:
                    last = today
                    for _ in range(self.rng.randrange(1, 6)):
                        self.prepaid(client, last)
                        last += timedelta(days=self.rng.choice([1, 20, 31, self.lapse_days - 1, self.lapse_days]))
                    end = last + timedelta(days=self.rng.choice([0, self.lapse_days]))
                edges += [today, end]
                today = end + timedelta(days=self.rng.choice(GAPS))
        for edge in edges:
            if self.chance(0.45):
                self.request(client, self.near(edge))
            if self.chance(0.10):
                self.dismissal(client, self.near(edge))
            if self.chance(0.15):
                self.refund(client, self.near(edge))
            if self.chance(0.15):
                self.interview(client, self.near(edge))
            if self.chance(0.12):  # the same day, with everything on it
                day = self.near(edge, [0, 7, 8])
                self.prepaid(client, day)
                self.request(client, day)
                self.contract(client, day, day + timedelta(days=self.rng.choice([1, 8, 30])))
        for _ in range(self.rng.choice([0, 1, 3])):
            self.add(
                "payments",
                client_key=self.billing_key(client),
                **self.amount(),
                status=self.rng.choice(["succeeded", "succeeded", "failed"]),
                paid_at=self.stamp(self.day()),
            )
        self.edges[client] = edges
        self.person(client, edges)

    def person(self, client: str, edges: list[date]) -> None:
        """The client's own row, and the account managers."""
        registered = self.moment(self.first_day - timedelta(days=self.rng.randrange(400)))
        closed = self.stamp(self.near(self.rng.choice(edges))) if edges and self.chance(0.3) else ""
        self.add(
            "clients",
            client_key=client,
            name=self.rng.choice(["Alpha, Ltd", 'The "Quoted"', "Две\nстроки", "Plain"]),
            segment=self.rng.choice(SEGMENTS),
            size_band=self.rng.choice(["", "small", "all"]),
            region=self.rng.choice(["", "north", "unknown"]),
            acquisition_channel=self.rng.choice(["", "search"]),
            registered_at=self.text(registered),
            closed_at=closed,
            marketing_consent=self.rng.choice(["", "true", "false"]),
        )
        seen = set()
        for _ in range(self.rng.choice([0, 0, 1, 2, 3])):
            start = self.near(self.as_of, [-400, -90, -30, -2, -1, 0, 1, 5])
            if start in seen and "manager_tie" not in self.contested:
                continue
            seen.add(start)
            end = self.near(self.as_of, [-60, -1, 0, 1, 30])
            self.add(
                "manager_assignments",
                client_key=client,
                employee_key=self.rng.choice(["e1", "e2", "e3", "nobody"]),
                role=self.rng.choice(["account_manager", "account_manager", "sales"]),
                valid_from=start.isoformat(),
                valid_to=end.isoformat() if end > start and self.chance(0.5) else "",
            )

    def people(self) -> None:
        starts = {"e1": "", "e2": "1990-01-01", "e3": "2020-05-01", "e4": "2020-05-01"}
        if "future_employee" in self.contested:
            starts["e5"] = self.as_of.isoformat()
        for key, start in starts.items():
            self.add(
                "employees",
                employee_key=key,
                full_name="Example Person",
                department=self.rng.choice(["care", "sales"]),
                is_head="true" if key == "e1" else "false",
                active_from=start,
                active_to=self.rng.choice(["", "2100-12-31"]),
            )

    def identities(self, keys: list[str]) -> None:
        """Links: usual ones, one that beats an own key, a chain of two, one of another domain, one that is idle."""
        link = lambda source, key, client: self.add(  # noqa: E731
            "client_links", source=source, source_key=key, client_key=client
        )
        for client in keys:
            if self.chance(0.3):
                self.billing_keys[client] = [client, f"B-{client}"]
                link("billing", f"B-{client}", client)
            if self.chance(0.3):
                self.ticket_keys[client] = [f"T-{client}"]
                link("tickets", f"T-{client}", client)
        first, second, third, fourth = keys[:4]
        link("billing", first, second)  # rows under the first client's own text are the second's
        link("billing", "chain", first)  # one step only: the first, not the second
        link("tickets", second, third)  # holds for tickets alone
        link("znuny", third, fourth)  # another system's
        self.billing_keys[first] = [first, "chain"]
        if "files_link" in self.contested:
            link("files", "named", fourth)
            link("files", fourth, third)
            self.billing_keys[fourth] = [fourth, "named"]
        if "link_to_missing" in self.contested:
            link("billing", f"B-{third}", "nobody-knows")
            self.billing_keys[third] = [third, f"B-{third}"]

    def strangers(self) -> None:
        """Keys that no client row has."""
        for key in ("ghost-1", "ghost-2"):
            start = self.day()
            self.contract(key, start, start + timedelta(days=200))
            self.prepaid(key, start + timedelta(days=30))
        self.add("payments", client_key="ghost-paid", amount="10", status="failed", paid_at=self.stamp(self.first_day))
        self.refund("ghost-refund", self.as_of - timedelta(days=40))
        self.ticket("ghost-ticket", self.as_of - timedelta(days=1))
        self.feedback("ghost-feedback", self.as_of - timedelta(days=1))
        self.contract("ghost-future", self.as_of, None)
        self.ticket("ghost-future-ticket", self.as_of)
        self.dismissal("ghost-crm", self.day())
        self.interview("ghost-crm", self.day())
        if "crm_row_of_foreign_client" in self.contested:
            self.dismissal("ghost-1", self.day())
            self.request("ghost-2", self.day())
        if "future_registered" in self.contested:
            for key, day in (("future-idle", self.as_of), ("future-early", self.as_of + timedelta(days=1))):
                self.add(
                    "clients", client_key=key, name="Later", segment="later", registered_at=self.stamp(day, time(12))
                )
            self.contract("future-early", self.as_of - timedelta(days=60), None)

    def ticket(self, client: str, day: date) -> Row:
        return self.add(
            "tickets",
            client_key=self.ticket_key(client),
            queue="support",
            topic=self.rng.choice(["", "delivery"]),
            sla_class=self.rng.choice(["ours", "third_party"]),
            opened_at=self.stamp(day),
            opened_by=self.rng.choice(["client", "employee"]),
        )

    def feedback(self, client: str, day: date) -> None:
        given = self.moment(day)
        self.add(
            "feedback",
            client_key=self.ticket_key(client),
            kind=self.rng.choice(["operator_rating", "review", "survey", "complaint", "idea", "praise"]),
            score=self.rng.choice(["", "1", "5", "4.5", "3.25"]),
            is_public=self.rng.choice(["true", "false"]),
            submitted_at=self.text(given),
            answered_at=self.text(given + timedelta(days=1)) if self.chance(0.5) else "",
        )

    def other_facts(self, keys: list[str]) -> None:
        """A few rows of the entities that no mart of membership reads, so that their rules are tried too."""
        for number in range(1, 7):
            client, day = self.rng.choice(keys), self.day()
            moment = self.moment(day)
            later = self.text(moment + timedelta(days=3))
            self.ticket(client, day)
            self.feedback(client, day)
            self.add(
                "ticket_events",
                ticket_key=self.rng.choice([f"tic-{number}", "tic-none"]),
                kind="solved",
                occurred_at=later,
            )
            self.add("messages", ticket_key=f"tic-{number}", author="client", sent_at=self.text(moment))
            self.add(
                "deals",
                client_key=client,
                employee_key="e1",
                stage=self.rng.choice(["open", "won"]),
                **self.amount(),
                created_at=self.text(moment),
                closed_at=later if number % 2 else "",
            )
            self.add(
                "contacts",
                client_key=client,
                employee_key="",
                direction="outbound",
                channel="call",
                purpose="service",
                occurred_at=self.text(moment),
            )
            self.add("mailings", client_key=client, sent_at=self.text(moment), opened_at=later if number % 2 else "")
            self.add("reason_fixes", reason_code=REASON_CODES[number], owner_department="care", fixed_on="2023-01-01")
            self.add(
                "invoices",
                client_key=self.billing_key(client),
                issued_at=self.text(moment),
                due_at=later,
                total="10",
                currency="",
            )
            self.add("invoice_lines", invoice_key=f"inv-{number}", line_no=str(number), kind="fee", amount="-1.50")

    # ------------------------------------------------------------------------------------------ versions and breakage

    def versions(self) -> None:
        """Other versions of rows, in any order of file and of `updated_at`, ties and empty ones included."""
        stamps = [self.stamp(self.as_of - timedelta(days=days)) for days in (9, 8, 7)] + [""]
        for entity, rows in self.tables.items():
            self.stream(f"versions of {entity}")
            for row in list(rows):
                if self.chance(0.3):
                    row["updated_at"] = self.rng.choice(stamps)
                if not self.chance(0.12):
                    continue
                other = {**row, "updated_at": self.rng.choice(stamps)}
                for column in ("price", "amount"):
                    if column in other:
                        other[column] = self.rng.choice(["12.34", "0", "77"])
                if "segment" in other:
                    other["segment"] = self.rng.choice(SEGMENTS)
                if entity == "termination_requests":
                    other["outcome"] = self.rng.choice(["", "released", "retained"])
                if entity == "contracts" and self.chance(0.5):
                    other["ended_on"], other["end_reason"] = "", ""
                rows.insert(self.rng.randrange(len(rows) + 1), other)

    def breakage(self) -> None:
        """Rows that break every rule the entity can break: as keys of their own and as newer versions of good ones."""
        for name, entity in ENTITIES.items():
            self.stream(f"breakage of {name}")
            good = list(self.tables[name])
            for position, change in enumerate(broken_values(entity, self.rng)):
                row = {**self.rng.choice(good), "updated_at": self.stamp(self.as_of - timedelta(days=1))}
                if self.chance(0.5):
                    row[entity.key[-1] if name == "client_links" else entity.key[0]] = f"broken-{position}"
                    if name == "invoice_lines":
                        row["line_no"] = "7"
                row.update(change)
                self.tables[name].insert(self.rng.randrange(len(self.tables[name]) + 1), row)
            row = {**self.rng.choice(good), "updated_at": "yesterday"}
            self.tables[name].append(row)

    def build(self) -> "Nasty":
        keys = [f"c{number}" for number in range(1, self.clients + 1)]
        self.identities(keys)
        self.people()
        for key in keys:
            self.life(key)
        self.strangers()
        self.other_facts(keys)
        nasty_service.Desk(self).build(keys)
        nasty_life.enrich(self, keys)
        self.versions()
        if self.broken:
            self.breakage()
        return self

    def write(self, folder: Path) -> Path:
        """Writes the folder; column order, extra columns and quoting vary from file to file."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self.tables.items():
            columns = [column.name for column in ENTITIES[name].columns] + ["updated_at", "an_extra_column"]
            self.rng.shuffle(columns)
            quoting = self.rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
            # Every second file is one that a spreadsheet of Moscow or Berlin has saved.
            is_spreadsheet = len(name) % 2 == 0
            with (folder / f"{name}.csv").open(
                "w", encoding="utf-8-sig" if is_spreadsheet else "utf-8", newline=""
            ) as handle:
                writer = csv.DictWriter(
                    handle,
                    columns,
                    restval="",
                    quoting=quoting,
                    lineterminator="\r\n" if is_spreadsheet else "\n",
                    delimiter=";" if is_spreadsheet else ",",
                )
                writer.writeheader()
                writer.writerows(map(respelled, rows) if is_spreadsheet else rows)
        seeds = folder / "seeds"
        seeds.mkdir(exist_ok=True)
        for name, rows in self.own_seeds.items():
            with (seeds / f"{name}.csv").open("w", encoding="utf-8", newline="") as handle:
                writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        with (seeds / "exchange_rates.csv").open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(["currency", "valid_from", "rate"])
            for currency in ("USD", "EUR", "RUB", "JPY"):
                if currency == self.currency:
                    continue
                days = [self.as_of - timedelta(days=200)] if currency == "JPY" else [self.first_day, self.day()]
                for position, day in enumerate(sorted(set(days))):
                    rate = {"USD": "90.1234", "EUR": "100.5", "RUB": "0.0111", "JPY": "0.6125"}[currency]
                    writer.writerow([currency, day.isoformat(), rate if position == 0 else "81.005"])
        return folder


def respelled(row: Row) -> Row:
    """The row as a spreadsheet writes it: days with points, a comma before the kopecks, spaces between thousands."""
    return {name: _respelled(name, value) for name, value in row.items()}


def _respelled(name: str, value: str) -> str:
    moment = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}:\d{2}:\d{2}))?", value)
    if moment and name.endswith(("_at", "_on", "valid_from", "valid_to", "active_from", "active_to")):
        year, month, day, clock = moment.groups()
        return f"{day}.{month}.{year}" + (f" {clock}" if clock else "")
    number = re.fullmatch(r"([+-]?)(\d+)\.(\d+)", value)
    if number and name in ("price", "amount", "total", "score"):
        sign, whole, fraction = number.groups()
        grouped = f"{int(whole):,}".replace(",", "\u00a0") if len(whole) < 15 else whole
        return f"{sign}{grouped},{fraction}"
    return value


def broken_values(entity: Entity, rng: random.Random) -> list[Row]:
    """Changes that each make a good row of the entity bad, at least one for every rule it can break; some break two."""
    changes: list[Row] = []
    required = [column for column in entity.columns if column.required]
    changes += [{column.name: ""} for column in rng.sample(required, min(3, len(required)))]
    garbage = {
        "timestamp": ["yesterday", "2023-02-30T10:00:00", "2023-01-01T25:00:00", "24.08.23 13:19:39"],
        "date": ["2023-02-30", "31.02.2023", "soon"],
        "decimal": ["abc", "1,234.50", "NaN", "12345678901234567890"],
        "score": ["good", "4,5,0", "NaN"],
        "boolean": ["maybe", "2"],
        "integer": ["one", "1.5"],
    }
    for column in entity.columns:
        if column.type in garbage:
            changes.append({column.name: rng.choice(garbage[column.type])})
        if column.type == "timestamp":
            changes.append({column.name: rng.choice(["1989-12-31T12:00:00Z", "2101-01-02T00:00:00", "9999-12-31"])})
        if column.type == "date":
            changes.append({column.name: rng.choice(["1989-12-31", "2101-01-01", "9999-12-31"])})
        if column.type == "score":
            changes += [{column.name: value} for value in ("0", "5.01", "12.5", "-3", "0.5")]
        if column.codes:
            changes.append({column.name: rng.choice(["unknown", "Other!", "MONTH"])})
        if column.is_currency:
            changes.append({column.name: rng.choice(["XXX", "dollars"])})
    if entity.not_negative:
        changes += [{entity.not_negative: "-0.01"}, {entity.not_negative: "-5", required[1].name: ""}]
    for start, end in entity.pairs:
        if entity.end_must_be_later:
            changes += [{start: "2023-05-01", end: "2023-05-01"}, {start: "2023-05-01", end: "2023-04-30"}]
        else:
            changes.append({start: "2023-05-01T10:00:00Z", end: "2023-05-01T09:59:59Z"})
    # Two rules at once: the first of the list names the row, whatever the order of its columns.
    typed = [column for column in entity.columns if column.type in garbage]
    if typed:
        changes.append({typed[-1].name: "garbage", required[-1].name: "garbage", required[0].name: ""})
        coded = [column for column in entity.columns if column.codes]
        if coded and coded[0] is not typed[-1]:
            changes.append({coded[0].name: "no such code", typed[-1].name: "garbage"})
    return changes
