"""The help desk's database: Znuny's tables, as far as they are read, and what the demo company keeps in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from demo.model import FIRST_DAY, Fact, midnight, to_datetime
from demo.plan import Plan
from demo.systems.postgres import BEGINNING, Row, Table, touched

SCHEMA = Path(__file__).with_name("znuny.sql")

SYSTEM_USER = 1
STATE_TYPES = ("new", "open", "closed", "pending reminder", "pending auto", "removed", "merged")
STATES = {
    "new": ("new", 1),
    "closed successful": ("closed", 2),
    "closed unsuccessful": ("closed", 3),
    "open": ("open", 4),
    "removed": ("removed", 5),
    "pending reminder": ("pending reminder", 6),
    "pending auto close+": ("pending auto", 7),
    "pending auto close-": ("pending auto", 8),
    "merged": ("merged", 9),
}
STATE_OF_EVENT = {
    "opened": "new",
    "taken": "open",
    "reopened": "open",
    "solved": "pending auto close+",
    "closed": "closed successful",
}
HISTORY_TYPES = {
    "NewTicket": 1,
    "FollowUp": 2,
    "SendAutoReply": 4,
    "SendAnswer": 8,
    "AddNote": 15,
    "Move": 16,
    "Lock": 17,
    "OwnerUpdate": 23,
    "StateUpdate": 27,
    "TicketDynamicFieldUpdate": 28,
}
SENDER_TYPES = {"agent": 1, "system": 2, "customer": 3}
SENDER_OF_AUTHOR = {"client": "customer", "employee": "agent", "auto": "system", "note": "agent"}
QUEUES = {"Postmaster": 1, "Raw": 2, "Junk": 3, "Support": 4, "Delivery": 5, "Billing": 6, "Integrations": 7}
SLAS = {"ours": (1, "Own work, 1 working day", 540, 540), "third_party": (2, "Operator, 3 working days", 540, 1620)}
FIELDS = {"Topic": (1, "Dropdown"), "PromisedDate": (2, "Date")}
BODIES = {
    "client": "Добрый день! Подскажите, пожалуйста, что с нашей заявкой? Мой телефон +7 900 000-00-00.",
    "employee": "Здравствуйте! Разбираемся, вернусь с ответом.",
    "auto": "Ваше обращение принято.",
    "note": "Внутренняя заметка: проверить настройки у клиента.",
}
INSTALLED_AT = midnight(FIRST_DAY - 400)


def _moment(instant: int) -> datetime:
    """Znuny keeps naive UTC."""
    return to_datetime(instant).replace(tzinfo=None)


class Desk:
    """The plan's tickets as Znuny sees them: what belongs to which ticket, and the states it goes through."""

    def __init__(self, plan: Plan) -> None:
        facts = plan.book.facts
        self.tickets, self.events, self.messages = facts["tickets"], facts["ticket_events"], facts["messages"]
        self.people = facts["employees"]
        self.user_ids = {fact.versions[0][1][0]: fact.number + SYSTEM_USER for fact in self.people}
        self.of_ticket: dict[Fact, list[Fact]] = defaultdict(list)
        self.messages_of: dict[Fact, list[Fact]] = defaultdict(list)
        for event in self.events:
            self.of_ticket[event.versions[0][1][1]].append(event)
        for message in self.messages:
            self.messages_of[message.versions[0][1][1]].append(message)
        # Of each event: the state before, the state after, the promise before.
        self.course: dict[Fact, tuple[str, str, str]] = {}
        for events in self.of_ticket.values():
            state, promise = "new", ""
            for event in events:
                _, _, kind, _, _, value = event.versions[0][1]
                after = STATE_OF_EVENT.get(kind, state)
                self.course[event] = (state, after, promise)
                state = after
                if kind == "promise_changed":
                    promise = value
        self._field_values = self._number_field_values()

    def _number_field_values(self) -> list[tuple[int, Fact, Fact | None]]:
        """(written at, ticket, promise event or None for the topic), in the order in which they were written."""
        written = [(ticket.versions[0][0], ticket, None) for ticket in self.tickets if ticket.versions[0][1][3]]
        for ticket, events in self.of_ticket.items():
            for event in events:
                if event.versions[0][1][2] == "promise_changed":
                    written.append((event.versions[0][0], ticket, event))
        written.sort(key=lambda value: (value[0], value[1].number))
        return written

    def user(self, login: str | None) -> int:
        """users.id of an employee; nobody is the system itself."""
        return SYSTEM_USER if login is None else self.user_ids[login]

    def ticket_rows(self, since: int, until: int) -> Iterator[tuple[Row, Row | None]]:
        for ticket in self.tickets:
            happened = [ticket, *self.of_ticket[ticket], *self.messages_of[ticket]]
            if not any(True for _ in touched(happened, since, until)):
                continue
            seen = ticket.seen_at(until)
            if seen is None:
                yield (ticket.number,), None
                continue
            _, customer, queue, topic, sla_class, opened_at, opened_by = seen[1]
            changed_at, state, owner = seen[0], "new", SYSTEM_USER
            for event in self.of_ticket[ticket]:
                if event.versions[0][0] < until:
                    changed_at = max(changed_at, event.versions[0][0])
                    state = self.course[event][1]
                    if event.versions[0][1][2] == "owner_changed":
                        owner = self.user(event.versions[0][1][3])
            for message in self.messages_of[ticket]:
                if message.versions[0][0] < until:
                    changed_at = max(changed_at, message.versions[0][0])
            created_by = SYSTEM_USER if opened_by == "client" else self._opener(ticket)
            yield (
                (ticket.number,),
                (
                    ticket.number,
                    f"{to_datetime(opened_at):%Y%m%d}{ticket.number:06d}",
                    f"Обращение: {topic or 'без темы'}",
                    QUEUES[queue],
                    SLAS[sla_class][0],
                    owner,
                    owner,
                    STATES[state][1],
                    customer,
                    f"{customer.lower()}@client.example",
                    _moment(opened_at),
                    created_by,
                    _moment(changed_at),
                ),
            )

    def _opener(self, ticket: Fact) -> int:
        return self.user(self.of_ticket[ticket][0].versions[0][1][3])

    def history_rows(self, since: int, until: int) -> Iterator[tuple[Row, Row | None]]:
        for event in touched(self.events, since, until):
            seen = event.seen_at(until)
            if seen is None:
                yield (event.number,), None
                continue
            _, ticket, kind, login, happened_at, value = seen[1]
            before, after, promise = self.course[event]
            user = self.user(login)
            if kind == "opened":
                history_type, name = "NewTicket", f"%%{ticket.number}%%{ticket.versions[0][1][2]}%%3 normal%%new%%"
            elif kind == "owner_changed":
                history_type, name = "OwnerUpdate", f"%%{login}%%{user}"
            elif kind == "promise_changed":
                history_type = "TicketDynamicFieldUpdate"
                name = f"%%FieldName%%PromisedDate%%Value%%{value}%%OldValue%%{promise}"
            else:
                history_type, name = "StateUpdate", f"%%{before}%%{after}%%"
            yield (
                (event.number,),
                (
                    event.number,
                    name,
                    HISTORY_TYPES[history_type],
                    ticket.number,
                    QUEUES[ticket.versions[0][1][2]],
                    user,
                    STATES[after][1],
                    _moment(happened_at),
                    user,
                    _moment(seen[0]),
                    user,
                ),
            )

    def article_rows(self, since: int, until: int) -> Iterator[tuple[Row, Row | None]]:
        for message in touched(self.messages, since, until):
            seen = message.seen_at(until)
            if seen is None:
                yield (message.number,), None
                continue
            _, ticket, author, login, sent_at = seen[1]
            user = self.user(login)
            sender = SENDER_TYPES[SENDER_OF_AUTHOR[author]]
            visible = 0 if author == "note" else 1
            times = (_moment(sent_at), user, _moment(seen[0]), user)
            yield (message.number,), (message.number, ticket.number, sender, visible, *times)

    def text_rows(self, since: int, until: int) -> Iterator[tuple[Row, Row | None]]:
        for message in touched(self.messages, since, until):
            seen = message.seen_at(until)
            if seen is None:
                yield (message.number,), None
                continue
            _, ticket, author, login, sent_at = seen[1]
            customer = f"{ticket.versions[0][1][1].lower()}@client.example"
            ends = (customer, "help@agency.example") if author == "client" else ("help@agency.example", customer)
            times = (_moment(sent_at), self.user(login), _moment(seen[0]), self.user(login))
            texts = (*ends, "Обращение", BODIES[author], sent_at)
            yield (message.number,), (message.number, message.number, *texts, *times)

    def value_rows(self, since: int, until: int) -> Iterator[tuple[Row, Row | None]]:
        latest: dict[Fact, int] = {}
        for number, (written_at, ticket, promise) in enumerate(self._field_values, start=1):
            if promise is not None and written_at < until:
                latest[ticket] = number
        for number, (written_at, ticket, promise) in enumerate(self._field_values, start=1):
            if written_at >= until:
                break
            # A promise's row is written anew when the promise changes.
            is_there = ticket.seen_at(until) is not None and (promise is None or latest[ticket] == number)
            if since == BEGINNING and not is_there:
                continue
            if since != BEGINNING and since <= written_at and not is_there:
                continue
            if written_at < since and is_there:
                continue
            if not is_there:
                yield (number,), None
            elif promise is None:
                yield (number,), (number, FIELDS["Topic"][0], ticket.number, ticket.versions[0][1][3], None)
            else:
                promised = datetime.fromisoformat(promise.versions[0][1][5])
                yield (number,), (number, FIELDS["PromisedDate"][0], ticket.number, None, promised)

    def user_rows(self, since: int, until: int) -> Iterator[tuple[Row, Row | None]]:
        if since == BEGINNING:
            yield (SYSTEM_USER,), (SYSTEM_USER, "root@localhost", "Admin", "Znuny", 1, *_installed())
        for person in touched(self.people, since, until):
            seen = person.seen_at(until)
            login, full_name, *_ = seen[1]
            first, last = full_name.split(" ", 1)
            number = self.user_ids[login]
            # Switched off with the notice: what a row shows may not depend on the day of reading.
            is_valid = 1 if seen[1][5] is None else 2
            moments = (_moment(person.versions[0][0]), _moment(seen[0]))
            yield (number,), (number, login, first, last, is_valid, *moments)


def _installed() -> tuple[datetime, datetime]:
    return _moment(INSTALLED_AT), _moment(INSTALLED_AT)


def tables(plan: Plan) -> list[Table]:
    """The tables of the help-desk database, filled from a plan."""
    desk = Desk(plan)
    times = ("create_time", "change_time")

    def fixed(name: str, columns: tuple[str, ...], rows: list[Row]) -> Table:
        def once(since: int, until: int) -> Iterator[tuple[Row, Row | None]]:
            if since == BEGINNING:
                yield from (((row[0],), (*row, *_installed())) for row in rows)

        return Table(name, ("id", *columns, *times), ("id",), once)

    state_types = {name: number for number, name in enumerate(STATE_TYPES, start=1)}
    return [
        fixed("ticket_state_type", ("name",), [(number, name) for name, number in state_types.items()]),
        fixed(
            "ticket_state", ("name", "type_id"), [(n, name, state_types[kind]) for name, (kind, n) in STATES.items()]
        ),
        fixed("ticket_history_type", ("name",), [(number, name) for name, number in HISTORY_TYPES.items()]),
        fixed("article_sender_type", ("name",), [(number, name) for name, number in SENDER_TYPES.items()]),
        fixed("queue", ("name",), [(number, name) for name, number in QUEUES.items()]),
        fixed("sla", ("name", "first_response_time", "solution_time"), list(SLAS.values())),
        fixed("service", ("name",), [(1, "Messaging")]),
        fixed(
            "dynamic_field",
            ("name", "label", "field_type", "object_type"),
            [(number, name, name, kind, "Ticket") for name, (number, kind) in FIELDS.items()],
        ),
        Table("users", ("id", "login", "first_name", "last_name", "valid_id", *times), ("id",), desk.user_rows),
        Table(
            "ticket",
            (
                "id",
                "tn",
                "title",
                "queue_id",
                "sla_id",
                "user_id",
                "responsible_user_id",
                "ticket_state_id",
                "customer_id",
                "customer_user_id",
                "create_time",
                "create_by",
                "change_time",
            ),
            ("id",),
            desk.ticket_rows,
        ),
        Table(
            "ticket_history",
            (
                "id",
                "name",
                "history_type_id",
                "ticket_id",
                "queue_id",
                "owner_id",
                "state_id",
                "create_time",
                "create_by",
                "change_time",
                "change_by",
            ),
            ("id",),
            desk.history_rows,
        ),
        Table(
            "article",
            (
                "id",
                "ticket_id",
                "article_sender_type_id",
                "is_visible_for_customer",
                "create_time",
                "create_by",
                "change_time",
                "change_by",
            ),
            ("id",),
            desk.article_rows,
        ),
        Table(
            "article_data_mime",
            (
                "id",
                "article_id",
                "a_from",
                "a_to",
                "a_subject",
                "a_body",
                "incoming_time",
                "create_time",
                "create_by",
                "change_time",
                "change_by",
            ),
            ("id",),
            desk.text_rows,
        ),
        Table(
            "dynamic_field_value",
            ("id", "field_id", "object_id", "value_text", "value_date"),
            ("id",),
            desk.value_rows,
        ),
    ]
