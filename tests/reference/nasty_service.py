"""The service desk of a nasty company: tickets, messages, feedback, contacts and mailings on every edge.

Answers lie exactly on their target and a microsecond beside it, over closed days and clock changes; messages of one
instant are told apart by key alone; reopenings, promises and resolutions come in every order, some before the opening.
Drawn from a stream of its own, so that the lives of the clients do not depend on it.
"""

import random
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.reference.reading import read_seed

if TYPE_CHECKING:
    from tests.reference.nasty import Nasty

MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
BESIDE = [-TICK, timedelta(0), timedelta(0), TICK, timedelta(seconds=1), timedelta(seconds=-1)]
WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = [time(9), time(9, 30), time(17, 30), time(17, 59, 59), time(18), time(8, 59, 59), time(12, 0, 0, 1)]
HOURS += [time(0), time(23, 59, 59, 999999), time(13, 7, 11, 123457), time(19, 15), time(2, 30), time(1, 45)]
SCORES = ["", "1", "2", "2.00", "2.004", "2.005", "2.01", "3.995", "4", "4.495", "4.5", "4.49", "5", "3"]
KINDS = ["operator_rating", "review", "review", "survey", "complaint", "idea", "praise"]
PROMISES = ["2024-05-01", "2024-05-02", "2024-05-02", "", "", "soon"]
EMPLOYEES = ["e1", "e2", "e3", "e4", "e1", "nobody", ""]


class Desk:
    """Adds the service facts of one company."""

    def __init__(self, company: "Nasty") -> None:
        self.company = company
        self.rng = random.Random(company.seed * 7919 + 5)
        self.zone = ZoneInfo(company.zone)
        seed = company.own_seeds.get("calendar_exceptions") or read_seed(Path("no folder"), "calendar_exceptions")
        self.days = {date.fromisoformat(row["day"]): (row["opens_at"], row["closes_at"]) for row in seed}
        self.clock_changes = [
            day
            for day in (company.first_day + timedelta(days=number) for number in range(company.span_days))
            if self.at(day, time(0)).utcoffset() != self.at(day, time(12)).utcoffset()
        ]
        self.numbers = 0

    # ------------------------------------------------------------------------------------------------ small helpers

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def at(self, day: date, at: time | None = None) -> datetime:
        return datetime.combine(day, at or self.rng.choice(HOURS), self.zone)

    def text(self, moment: datetime) -> str:
        """With an offset of its own: the wall time may be skipped or repeated by a clock change."""
        zone = self.rng.choice([UTC, self.zone])
        return moment.astimezone(UTC).astimezone(zone).isoformat(sep=self.rng.choice("T "))

    def day(self) -> date:
        """A day of history, often beside something: a clock change, a closed day, the edge of a month, as_of."""
        company = self.company
        day = company.first_day + timedelta(days=self.rng.randrange(-40, company.span_days))
        match self.rng.randrange(8):
            case 0 if self.clock_changes:
                return self.rng.choice(self.clock_changes) - timedelta(days=self.rng.choice([0, 0, 1, 2, 30, 31]))
            case 1 if self.days:
                return self.rng.choice(sorted(self.days)) - timedelta(days=self.rng.choice([0, 0, 1, 2, 3]))
            case 2:
                return day.replace(day=1) - timedelta(days=self.rng.choice([0, 1]))
            case 3:
                return company.as_of - timedelta(days=self.rng.choice([0, 1, 1, 2, 3, 4, 7, 8, 14, 15, 16, 31]))
            case 4:
                return day - timedelta(days=day.weekday() - 4)  # a Friday
        return day

    def week_hours(self, day: date) -> tuple[time, time] | None:
        company = self.company
        if day in self.days:
            opens, closes = self.days[day]
            return (time.fromisoformat(opens), time.fromisoformat(closes)) if opens else None
        if WEEK[day.weekday()] not in company.working_days:
            return None
        closes = company.closes_at
        return time.fromisoformat(company.opens_at), time.max if closes == "24:00" else time.fromisoformat(closes)

    def after(self, start: datetime, minutes: float) -> datetime:
        """The first instant at which so much working time has passed since another one (roughly, beside midnight)."""
        left = timedelta(minutes=minutes)
        wall = start.astimezone(self.zone).replace(tzinfo=None, fold=0)
        while True:
            hours = self.week_hours(wall.date())
            if hours is not None:
                opens, closes = (datetime.combine(wall.date(), each) for each in hours)
                if closes.time() == time.max:
                    closes += TICK
                wall = max(wall, opens)
                if wall + left <= closes:
                    return (wall + left).replace(tzinfo=self.zone)
                left -= max(closes - wall, timedelta(0))
            wall = datetime.combine(wall.date() + timedelta(days=1), time(0))

    def key(self, prefix: str) -> str:
        """Keys whose order is not that of time nor that of the file."""
        self.numbers += 1
        return f"{prefix}{self.rng.randrange(10_000):04}-{self.numbers}"

    # -------------------------------------------------------------------------------------------------------- facts

    def ticket(self, client: str, opened: datetime, **given: str) -> str:
        row = self.company.add(
            "tickets",
            ticket_key=self.key("t"),
            client_key=self.rng.choice(self.company.ticket_keys.get(client, [client])),
            queue=given.get("queue") or self.rng.choice(["support", "support", "billing", "all"]),
            topic=given["topic"] if "topic" in given else self.rng.choice(["", "delivery", "access"]),
            sla_class=given.get("sla_class") or self.rng.choice(["ours", "third_party"]),
            opened_at=self.text(opened),
            opened_by=given.get("opened_by") or self.rng.choice(["client", "client", "client", "employee"]),
        )
        return row["ticket_key"]

    def message(self, ticket: str, author: str, sent: datetime) -> None:
        who = "" if author == "client" else self.rng.choice(EMPLOYEES)
        self.company.add(
            "messages",
            message_key=self.key("m"),
            ticket_key=ticket,
            author=author,
            employee_key=who,
            sent_at=self.text(sent),
        )

    def event(self, ticket: str, kind: str, occurred: datetime, value: str = "") -> None:
        self.company.add(
            "ticket_events",
            event_key=self.key("e"),
            ticket_key=ticket,
            kind=kind,
            employee_key=self.rng.choice(["", "e1", "nobody"]),
            occurred_at=self.text(occurred),
            new_value=value,
        )

    # ------------------------------------------------------------------------------------------------------ tickets

    def exactly_on_target(self, client: str) -> None:
        opened = self.at(self.day())
        ticket = self.ticket(client, opened)
        if self.chance(0.3):
            self.message(ticket, "client", opened)
        if self.chance(0.5):
            self.message(ticket, "auto", opened + self.rng.choice([TICK, 3 * MINUTE]))
        target = self.rng.choice([540, 540, 90])
        if self.chance(0.8):
            self.message(ticket, "employee", self.after(opened, target) + self.rng.choice(BESIDE))
        target = self.rng.choice([540, 1620, 1000])
        if self.chance(0.8):
            solved = self.after(opened, target) + self.rng.choice(BESIDE)
            self.event(ticket, self.rng.choice(["solved", "closed"]), solved)
            if self.chance(0.5):  # closed days later, or at the same instant
                self.event(ticket, "closed", solved + self.rng.choice([0, 0, 1, 1440]) * MINUTE)

    def over_a_weekend(self, client: str) -> None:
        friday = self.day()
        friday -= timedelta(days=friday.weekday() - 4)
        opened = self.at(friday, time(17, 30))
        ticket = self.ticket(client, opened)
        monday = self.at(friday + timedelta(days=self.rng.choice([1, 2, 3, 4])), self.rng.choice([time(9, 30), None]))
        self.message(ticket, self.rng.choice(["employee", "employee", "auto"]), monday)
        if self.chance(0.6):
            self.event(ticket, "solved", monday + 2 * MINUTE)

    def through_the_repeated_hour(self, client: str) -> None:
        if not self.clock_changes:
            return
        night = self.at(self.rng.choice(self.clock_changes), time(0, 40)).astimezone(UTC)
        ticket = self.ticket(client, night)
        for _ in range(self.rng.randrange(1, 6)):
            moment = night + self.rng.randrange(0, 260) * MINUTE
            self.message(ticket, self.rng.choice(["client", "employee"]), moment)
        if self.chance(0.5):
            self.event(ticket, "solved", night + self.rng.randrange(0, 300) * MINUTE)

    def back_and_forth(self, client: str) -> None:
        """Solved, closed and reopened in every order, some at one instant, some before the opening."""
        opened = self.at(self.day())
        ticket = self.ticket(client, opened)
        moment = opened + self.rng.choice([-60, 0, 0, 30, 600]) * MINUTE
        for _ in range(self.rng.randrange(1, 8)):
            self.event(ticket, self.rng.choice(["solved", "solved", "closed", "reopened", "owner_changed"]), moment)
            if self.chance(0.4):
                author = self.rng.choice(["client", "employee"])
                self.message(ticket, author, moment + self.rng.choice([-1, 0, 1]) * MINUTE)
            moment += self.rng.choice([0, 0, 1, 60, 600, 1440, 5 * 1440]) * MINUTE

    def promises(self, client: str) -> None:
        opened = self.at(self.day())
        ticket = self.ticket(client, opened)
        moment = opened + self.rng.choice([-5, 0, 5]) * MINUTE
        for _ in range(self.rng.randrange(1, 6)):
            self.event(ticket, "promise_changed", moment, self.rng.choice(PROMISES))
            moment += self.rng.choice([0, 0, 10, 1440]) * MINUTE

    def talk(self, client: str) -> None:
        """A conversation with messages of one instant, automatic ones, and some before the opening."""
        opened = self.at(self.day())
        ticket = self.ticket(client, opened)
        moment = opened + self.rng.choice([-30, 0, 0, 0, 10]) * MINUTE
        for _ in range(self.rng.randrange(1, 9)):
            self.message(ticket, self.rng.choice(["client", "client", "employee", "employee", "auto"]), moment)
            moment += self.rng.choice([0, 0, 1, 45, 600, 2 * 1440]) * MINUTE
        if self.chance(0.4):
            self.event(ticket, "closed", moment)

    def unanswered(self, client: str) -> None:
        """A client's message exactly one, three and seven days old, give or take a little."""
        now = self.at(self.company.as_of, time(0))
        days = self.rng.choice([1, 3, 7])
        sent = (now.astimezone(UTC) - timedelta(days=days)) + self.rng.choice([*BESIDE, timedelta(hours=1)])
        ticket = self.ticket(client, sent - self.rng.choice([0, 0, 10, 1440]) * MINUTE)
        self.message(ticket, "client", sent)
        if self.chance(0.4):
            self.message(ticket, self.rng.choice(["employee", "auto"]), sent + self.rng.choice([0, -1, 1]) * MINUTE)
        if self.chance(0.3):
            self.event(ticket, "solved", sent + MINUTE)

    def overdue(self, client: str) -> None:
        """Open at as_of, with the target missed or not by a little; or answered only on as_of."""
        day = self.company.as_of - timedelta(days=self.rng.choice([1, 1, 2, 3, 4, 5, 6, 7]))
        hours = self.week_hours(day)
        opened = self.at(day, self.rng.choice(hours) if hours else None) + self.rng.choice(BESIDE)
        ticket = self.ticket(client, opened)
        if self.chance(0.4):
            midnight = self.at(self.company.as_of, time(0)).astimezone(UTC)
            moment = midnight + self.rng.choice([-TICK, timedelta(0), TICK, 600 * MINUTE])
            self.message(ticket, "employee", moment)
            self.event(ticket, "solved", moment)

    def again_and_again(self, client: str) -> None:
        """One topic again after thirty days of 24 hours, give or take a little."""
        opened = self.at(self.day()).astimezone(UTC)
        topic = self.rng.choice(["delivery", "access", ""])
        for _ in range(self.rng.randrange(2, 4)):
            self.ticket(client, opened, topic=topic)
            opened += timedelta(days=self.rng.choice([0, 1, 30, 30, 31])) + self.rng.choice(BESIDE)
            if self.chance(0.2):
                opened += timedelta(hours=1)

    # ------------------------------------------------------------------------------------------------------ the rest

    def feedback(self, client: str) -> None:
        given = self.at(self.day())
        answered = acted_on = ""
        if self.chance(0.6):
            moment = self.rng.choice([self.after(given, 540), given]) + self.rng.choice(BESIDE)
            answered = self.text(max(moment, given))
        if self.chance(0.5):
            acted_on = self.text(
                max(given, self.at(given.date() + timedelta(days=self.rng.choice([0, 1, 13, 14, 15]))))
            )
        if self.chance(0.1):
            acted_on = answered = self.text(max(given, self.at(self.company.as_of, time(0))))
        self.company.add(
            "feedback",
            feedback_key=self.key("f"),
            client_key=self.rng.choice(self.company.ticket_keys.get(client, [client])),
            kind=self.rng.choice(KINDS),
            score=self.rng.choice(SCORES),
            is_public=self.rng.choice(["true", "true", "false"]),
            ticket_key=self.rng.choice(["", "t-none"]),
            employee_key=self.rng.choice(["", "e1", "nobody"]),
            submitted_at=self.text(given),
            answered_at=answered,
            acted_on_at=acted_on,
        )

    def month_edge(self) -> date:
        """A day around the edge of a month, or around the day that a window of ninety days before it begins."""
        edge = self.day().replace(day=1)
        return edge + timedelta(days=self.rng.choice([-1, 0, 0, 5, 27, -90, -91, -89]))

    def contact(self, client: str, day: date, employee: str | None = None) -> None:
        self.company.add(
            "contacts",
            contact_key=self.key("k"),
            client_key=client,
            employee_key=self.rng.choice(EMPLOYEES) if employee is None else employee,
            direction=self.rng.choice(["outbound", "outbound", "inbound"]),
            channel=self.rng.choice(["call", "email", "chat", "meeting"]),
            purpose=self.rng.choice(["service", "upsell", "upsell", "other", "sales"]),
            occurred_at=self.text(self.at(day)),
        )

    def mailing(self, client: str) -> None:
        sent = self.at(self.month_edge())
        opened = unsubscribed = ""
        if self.chance(0.4):
            opened = self.text(max(sent, self.at(sent.date() + timedelta(days=self.rng.choice([0, 1, 30, 89, 90])))))
        if self.chance(0.3):
            unsubscribed = self.text(max(sent, self.at(sent.date() + timedelta(days=self.rng.choice([0, 1, 31])))))
        self.company.add(
            "mailings",
            mailing_key=self.key("l"),
            client_key=client,
            sent_at=self.text(sent),
            opened_at=opened,
            unsubscribed_at=unsubscribed,
        )

    def managers(self, client: str) -> None:
        """Managers that follow each other, overlap, begin on one day, or begin and end with a month."""
        taken = {
            (row["client_key"], row["employee_key"], row["role"], row["valid_from"])
            for row in self.company.tables["manager_assignments"]
        }
        start = self.month_edge()
        for _ in range(self.rng.randrange(1, 4)):
            employee = self.rng.choice(["e1", "e2", "e3", "nobody"])
            role = self.rng.choice(["account_manager"] * 4 + ["sales"])
            end = start + timedelta(days=self.rng.choice([1, 28, 31, 90, 200]))
            if (client, employee, role, start.isoformat()) not in taken:
                taken.add((client, employee, role, start.isoformat()))
                self.company.add(
                    "manager_assignments",
                    client_key=client,
                    employee_key=employee,
                    role=role,
                    valid_from=start.isoformat(),
                    valid_to=end.isoformat() if self.chance(0.7) else "",
                )
            for day in (start - timedelta(days=1), start, end - timedelta(days=1), end):
                if self.chance(0.4):
                    self.contact(client, day, employee)
                if self.chance(0.3):
                    ticket = self.ticket(client, self.at(day))
                    if self.chance(0.7):
                        self.event(ticket, "solved", self.at(day + timedelta(days=3)))
                        self.message(ticket, "employee", self.at(day + timedelta(days=1)))
            start = self.rng.choice([start, end, end, end + timedelta(days=1), end - timedelta(days=5)])

    def build(self, clients: list[str]) -> None:
        """Gives most clients, and some that nobody knows, a history with the service desk."""
        styles = [
            self.exactly_on_target,
            self.exactly_on_target,
            self.over_a_weekend,
            self.through_the_repeated_hour,
            self.back_and_forth,
            self.promises,
            self.talk,
            self.unanswered,
            self.overdue,
            self.again_and_again,
        ]
        for client in [*clients, "ghost-1", "ghost-desk"]:
            for _ in range(self.rng.choice([0, 1, 2, 3])):
                self.rng.choice(styles)(client)
            for _ in range(self.rng.choice([0, 1, 2, 4])):
                self.feedback(client)
            if self.chance(0.4):
                self.managers(client)
            if self.chance(0.5):
                edge = self.month_edge()
                for _ in range(self.rng.randrange(1, 6)):
                    self.contact(client, edge + timedelta(days=self.rng.choice([0, 0, 1, 89, 90, 91])))
            for _ in range(self.rng.choice([0, 0, 1, 3])):
                self.mailing(client)
        # One who manages nobody else, until the first of a month.
        first = (self.company.as_of - timedelta(days=100)).replace(day=1)
        self.company.add(
            "manager_assignments",
            client_key=clients[0],
            employee_key="e4",
            role="account_manager",
            valid_from=(first - timedelta(days=10)).isoformat(),
            valid_to=first.isoformat(),
        )
        self.message("t-none", "client", self.at(self.day()))
        self.event("t-none", "solved", self.at(self.day()))
        for _ in range(3):
            self.contact("ghost-contact", self.day(), "e1")
        self.managers("ghost-contact")
        self.mailing("ghost-contact")


def exceptions(first_day: date, last_day: date, seed: int) -> list[dict[str, str]]:
    """The seed calendar_exceptions: days off, days worked instead, short and long days, all over a history."""
    rng = random.Random(seed)
    hours = [("", ""), ("", ""), ("", ""), ("09:00", "13:00"), ("10:00:00", "16:30:00"), ("07:45", "21:05:30")]
    hours += [("12:00", "12:00")]
    rows = []
    for number in sorted(rng.sample(range((last_day - first_day).days), 60)):
        opens_at, closes_at = rng.choice(hours)
        day = (first_day + timedelta(days=number)).isoformat()
        rows.append({"day": day, "opens_at": opens_at, "closes_at": closes_at})
    return rows
