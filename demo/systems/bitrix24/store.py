"""The state of the demo's Bitrix24: one SQLite file of ready-made answers, brought forward by `advance`.

An element is kept as Bitrix24 delivers it (user fields under their original names) with its id and its cursor.
A reader sees the state before an advance or after it, never between: each is one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from demo.company import DEPARTMENTS, HEADCOUNT, LOGIN_PREFIX
from demo.export import rubles
from demo.model import MOSCOW_OFFSET, Fact, to_date, to_datetime
from demo.plan import Plan
from demo.systems.postgres import BEGINNING, touched

Element = dict[str, Any]
Entry = tuple[str, int, Element | None]
"""Kind, id, element (None: it is gone)."""

CURSORS = ("updatedTime", "LAST_UPDATED", "CREATED_TIME")
"""The field of an element that says when it last changed: of items, activities, steps between stages."""

COMPANY, DEAL = 4, 2
REQUEST, DISMISSAL, INTERVIEW, FIX, ASSIGNMENT, MAILING = 1030, 1032, 1034, 1036, 1038, 1040
ACTIVITY, USER, DEPARTMENT = "activity", "user", "department"

DEAL_STAGES = {"open": "NEW", "won": "WON", "lost": "LOSE"}
STAGE_SEMANTICS = {"open": "P", "won": "S", "lost": "F"}
CREATED_IN_STAGE, CAME_TO_FINAL_STAGE = 1, 3
REQUEST_STAGES = {
    None: "DT1030_1:NEW",
    "released": "DT1030_1:UC_RELEASED",
    "retained": "DT1030_1:UC_RETAINED",
    "withdrawn": "DT1030_1:UC_WITHDRAWN",
}
DISMISSAL_REASONS = {"illegal_use": 41, "abuse": 42, "blackmail": 43, "unprofitable": 44}
INTERVIEW_CHANNELS = {"call": 51, "email": 52, "chat": 53, "meeting": 54}
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
REASONS = {code: number for number, code in enumerate(REASON_CODES, start=61)}
ROLES = {"sales": 81, "account_manager": 82}
ACTIVITY_TYPES = {
    "meeting": ("1", "CRM_MEETING"),
    "call": ("2", "VOXIMPLANT_CALL"),
    "email": ("4", "CRM_EMAIL"),
    "chat": ("6", "IMOPENLINES_SESSION"),
}
DEPARTMENT_IDS = {name: number for number, name in enumerate(DEPARTMENTS, start=1)}


def kind_of(entity_type: int) -> str:
    """The kind under which the elements of a CRM entity type are kept."""
    return f"item:{entity_type}"


def steps_of(entity_type: int) -> str:
    """The kind under which the history of stages of a CRM entity type is kept."""
    return f"stagehistory:{entity_type}"


def moment(instant: int | None) -> str | None:
    """An instant as Bitrix24 writes it: ISO with the offset of the portal."""
    if instant is None:
        return None
    return to_datetime(instant + MOSCOW_OFFSET).strftime("%Y-%m-%dT%H:%M:%S+03:00")


def day(number: int | None) -> str:
    """A day as Bitrix24 writes it: its midnight on the server, three hours later on the portal; empty for none."""
    return "" if number is None else f"{to_date(number).isoformat()}T03:00:00+03:00"


def in_portal_zone(instant: str) -> str:
    """An ISO instant by the portal's clock, so that instants compare as text. Raises ValueError."""
    parsed = datetime.fromisoformat(instant)
    if parsed.tzinfo is not None:
        parsed = parsed.astimezone(UTC).replace(tzinfo=None) + timedelta(seconds=MOSCOW_OFFSET)
    return f"{parsed:%Y-%m-%dT%H:%M:%S}+03:00"


def prepare(connection: sqlite3.Connection) -> None:
    """Make the table of elements, if it is not there."""
    connection.execute("pragma journal_mode = wal")
    connection.execute(
        "create table if not exists element "
        "(kind text, id integer, cursor text, body text, primary key (kind, id)) without rowid"
    )
    connection.execute("create index if not exists element_cursor on element (kind, cursor)")


def read(connection: sqlite3.Connection, kind: str, number: int) -> Element:
    """One element; empty when it is not there."""
    row = connection.execute("select body from element where kind = ? and id = ?", (kind, number)).fetchone()
    return json.loads(row[0]) if row else {}


def write(connection: sqlite3.Connection, kind: str, number: int, element: Element) -> None:
    """Put one element in, or in the place of what it was."""
    changed = next((element[name] for name in CURSORS if element.get(name)), None)
    body = json.dumps(element, ensure_ascii=False, separators=(",", ":"))
    cursor = in_portal_zone(changed) if changed else ""
    connection.execute("insert or replace into element values (?, ?, ?, ?)", (kind, number, cursor, body))


def delete(connection: sqlite3.Connection, kind: str, number: int) -> int:
    """Take one element out; 1 if it was there, else 0."""
    return connection.execute("delete from element where kind = ? and id = ?", (kind, number)).rowcount


def fill(path: Path, plan: Plan, since: int, until: int, tell: Callable[[str], None]) -> None:
    """Bring the file from what it showed at `since` (BEGINNING: nothing) to `until`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
        prepare(connection)
        connection.execute("begin")
        if since == BEGINNING:
            connection.execute("delete from element")
        written = gone = 0
        for kind, number, element in entries(plan, since, until):
            if element is None:
                gone += delete(connection, kind, number)
            else:
                write(connection, kind, number, element)
                written += 1
    tell(f"Bitrix24: {written} elements written{f', {gone} deleted' if gone else ''}")


def entries(plan: Plan, since: int, until: int) -> Iterator[Entry]:
    """What changed in [since, until), as it is at `until`."""
    book = plan.book.facts
    users = {fact.versions[0][1][0]: fact.number for fact in book["employees"]}
    yield from _users(book["employees"], since, until)
    yield from _departments(plan, since, until)
    yield from _companies(plan, since, until)
    for entity, entity_type, make in (
        ("deals", DEAL, _deal),
        ("termination_requests", REQUEST, _request),
        ("dismissals", DISMISSAL, _dismissal),
        ("exit_interviews", INTERVIEW, _interview),
        ("reason_fixes", FIX, _fix),
        ("manager_assignments", ASSIGNMENT, _assignment),
        ("mailings", MAILING, _mailing),
    ):
        yield from _items(book[entity], entity_type, lambda values, make=make: make(values, users), since, until)
    yield from _deal_steps(book["deals"], since, until)
    yield from _activities(book["contacts"], users, since, until)


def _items(
    facts: Iterable[Fact], entity_type: int, make: Callable[[tuple], Element], since: int, until: int
) -> Iterator[Entry]:
    for fact in touched(facts, since, until):
        seen = fact.seen_at(until)
        if seen is None:
            yield kind_of(entity_type), fact.number, None
            continue
        element = {
            "id": fact.number,
            "createdTime": moment(fact.versions[0][0]),
            "updatedTime": moment(seen[0]),
            "createdBy": 1,
            "updatedBy": 1,
            **make(seen[1]),
        }
        yield kind_of(entity_type), fact.number, element


def _companies(plan: Plan, since: int, until: int) -> Iterator[Entry]:
    links: dict[Fact, list[Fact]] = {}
    for link in plan.book.facts["client_links"]:
        links.setdefault(link.versions[0][1][2], []).append(link)
    for company in plan.book.facts["clients"]:
        own = links.get(company, [])
        if not any(True for _ in touched((company, *own), since, until)):
            continue
        seen = company.seen_at(until)
        if seen is None:
            yield kind_of(COMPANY), company.number, None
            continue
        numbers = {}
        updated = seen[0]
        for link in own:
            seen_link = link.seen_at(until)
            if seen_link is not None:
                numbers[seen_link[1][0]] = seen_link[1][1]
                updated = max(updated, seen_link[0])
        _, name, segment, size, region, channel, registered_at, closed_at, consent = seen[1]
        element = {
            "id": company.number,
            "title": name,
            "assignedById": 1,
            "createdTime": moment(registered_at),
            "updatedTime": moment(updated),
            "createdBy": 1,
            "updatedBy": 1,
            "opened": "Y",
            "phone": "+7 900 000-00-00",
            "email": f"office{company.number}@client.example",
            "UF_CRM_SEGMENT": segment or "",
            "UF_CRM_SIZE_BAND": size or "",
            "UF_CRM_REGION": region or "",
            "UF_CRM_CHANNEL": channel or "",
            "UF_CRM_BILLING_NO": numbers.get("billing", ""),
            "UF_CRM_HELPDESK_NO": numbers.get("tickets", ""),
            "UF_CRM_CLOSED_ON": "" if closed_at is None else day((closed_at + MOSCOW_OFFSET) // 86_400),
            "UF_CRM_CONSENT": _flag(consent),
        }
        yield kind_of(COMPANY), company.number, element


def _flag(value: bool | None) -> str | None:
    return None if value is None else ("Y" if value else "N")


def _deal(values: tuple, users: dict[str, int]) -> Element:
    _, client, login, stage, amount, currency, created_at, closed_at = values
    return {
        "title": f"Сделка {client.number}",
        "companyId": client.number,
        "assignedById": users[login],
        "stageId": DEAL_STAGES[stage],
        "stageSemanticId": STAGE_SEMANTICS[stage],
        "categoryId": 0,
        "opportunity": float(rubles(amount)),
        "currencyId": currency,
        "createdTime": moment(created_at),
        # While a deal is open this is the day on which the seller hopes to close it.
        "closedate": day(((closed_at or created_at + 30 * 86_400) + MOSCOW_OFFSET) // 86_400),
        "closed": "N" if stage == "open" else "Y",
    }


def _deal_steps(deals: Iterable[Fact], since: int, until: int) -> Iterator[Entry]:
    """Where each deal began and, when it is decided, how it ended: the portal writes both down by itself."""
    for deal in touched(deals, since, until):
        is_there = deal.seen_at(until) is not None
        for place, (happened_at, (_, _, _, stage, *_)) in enumerate(deal.versions):
            number = 2 * deal.number - 1 + place
            if not is_there:
                yield steps_of(DEAL), number, None
            elif happened_at < until:
                element = {
                    "ID": number,
                    "TYPE_ID": CAME_TO_FINAL_STAGE if place else CREATED_IN_STAGE,
                    "OWNER_ID": deal.number,
                    "CREATED_TIME": moment(happened_at),
                    "CATEGORY_ID": 0,
                    "STAGE_SEMANTIC_ID": STAGE_SEMANTICS[stage],
                    "STAGE_ID": DEAL_STAGES[stage],
                }
                yield steps_of(DEAL), number, element


def _request(values: tuple, _: dict[str, int]) -> Element:
    _, client, requested_at, outcome, completed_at, bonus, obstacle = values
    return {
        "title": "Расторжение",
        "companyId": client.number,
        "stageId": REQUEST_STAGES[outcome],
        "movedTime": moment(completed_at or requested_at),
        "UF_CRM_1_REQUESTED_AT": moment(requested_at),
        "UF_CRM_1_COMPLETED_AT": moment(completed_at) or "",
        "UF_CRM_1_BONUS_OFFERED": _flag(bonus),
        "UF_CRM_1_OBSTACLE": obstacle or "",
    }


def _dismissal(values: tuple, users: dict[str, int]) -> Element:
    client, dismissed_at, reason, decided_by = values
    return {
        "title": "Отказ от клиента",
        "companyId": client.number,
        "UF_CRM_2_DISMISSED_AT": moment(dismissed_at),
        "UF_CRM_2_REASON": DISMISSAL_REASONS[reason],
        "UF_CRM_2_DECIDED_BY": users[decided_by],
    }


def _interview(values: tuple, _: dict[str, int]) -> Element:
    _, client, invited_at, channel, answered_at, reason, would_return = values
    return {
        "title": "Опрос ушедшего",
        "companyId": client.number,
        "UF_CRM_3_INVITED_AT": moment(invited_at),
        "UF_CRM_3_CHANNEL": INTERVIEW_CHANNELS[channel],
        "UF_CRM_3_ANSWERED_AT": moment(answered_at) or "",
        "UF_CRM_3_REASON": REASONS.get(reason),
        "UF_CRM_3_WOULD_RETURN": _flag(would_return),
    }


def _fix(values: tuple, _: dict[str, int]) -> Element:
    _, reason, owner, planned_on, fixed_on = values
    return {
        "title": "Устранение причины",
        "companyId": 0,
        "UF_CRM_4_REASON": REASONS[reason],
        "UF_CRM_4_DEPARTMENT": DEPARTMENT_IDS[owner],
        "UF_CRM_4_PLANNED_ON": day(planned_on),
        "UF_CRM_4_FIXED_ON": day(fixed_on),
    }


def _assignment(values: tuple, users: dict[str, int]) -> Element:
    client, login, role, valid_from, valid_to = values
    return {
        "title": "Закрепление",
        "companyId": client.number,
        "UF_CRM_5_EMPLOYEE": users[login],
        "UF_CRM_5_ROLE": ROLES[role],
        "UF_CRM_5_VALID_FROM": day(valid_from),
        "UF_CRM_5_VALID_TO": day(valid_to),
    }


def _mailing(values: tuple, _: dict[str, int]) -> Element:
    _, client, sent_at, opened_at, unsubscribed_at = values
    return {
        "title": "Рассылка",
        "companyId": client.number,
        "UF_CRM_6_SENT_AT": moment(sent_at),
        "UF_CRM_6_OPENED_AT": moment(opened_at) or "",
        "UF_CRM_6_UNSUBSCRIBED_AT": moment(unsubscribed_at) or "",
    }


def _activities(contacts: Iterable[Fact], users: dict[str, int], since: int, until: int) -> Iterator[Entry]:
    for contact in touched(contacts, since, until):
        seen = contact.seen_at(until)
        if seen is None:
            yield ACTIVITY, contact.number, None
            continue
        _, client, login, direction, channel, purpose, occurred_at = seen[1]
        type_id, provider = ACTIVITY_TYPES[channel]
        element = {
            "ID": str(contact.number),
            "OWNER_ID": str(client.number),
            "OWNER_TYPE_ID": str(COMPANY),
            "TYPE_ID": type_id,
            "PROVIDER_ID": provider,
            "DIRECTION": "1" if direction == "inbound" else "2",
            "RESPONSIBLE_ID": "0" if login is None else str(users[login]),
            # Telephony writes the number of the call where the company's scripts write the purpose.
            "ORIGIN_ID": f"VI_{contact.number}" if (channel, purpose) == ("call", "other") else purpose,
            "SUBJECT": "Разговор с клиентом",
            "DESCRIPTION": "Обсудили условия, перезвонить на +7 900 000-00-00.",
            "COMMUNICATIONS": [],
            "SETTINGS": [],
            "COMPLETED": "Y",
            "START_TIME": moment(occurred_at),
            "END_TIME": moment(occurred_at),
            "CREATED": moment(contact.versions[0][0]),
            "LAST_UPDATED": moment(seen[0]),
        }
        yield ACTIVITY, contact.number, element


def _users(people: Iterable[Fact], since: int, until: int) -> Iterator[Entry]:
    for person in touched(people, since, until):
        seen = person.seen_at(until)
        login, full_name, department, _, works_from, works_until = seen[1]
        first, last = full_name.split(" ", 1)
        element = {
            "ID": str(person.number),
            "XML_ID": login,
            "ACTIVE": works_until is None,
            "NAME": first,
            "LAST_NAME": last,
            "EMAIL": f"{login}@agency.example",
            "PERSONAL_MOBILE": "+7 900 000-00-00",
            "UF_DEPARTMENT": [DEPARTMENT_IDS[department]],
            "UF_EMPLOYMENT_DATE": day(works_from),
            "UF_USR_LEFT_ON": day(works_until),
            "DATE_REGISTER": moment(person.versions[0][0]),
            "USER_TYPE": "employee",
            # The portal tells nobody when a user was changed: an empty time, and PHP writes it as a map.
            "TIMESTAMP_X": {},
        }
        yield USER, person.number, element


def _departments(plan: Plan, since: int, until: int) -> Iterator[Entry]:
    if since != BEGINNING:
        return
    users = {fact.versions[0][1][0]: fact.number for fact in plan.book.facts["employees"]}
    for name, number in DEPARTMENT_IDS.items():
        head = users[f"{LOGIN_PREFIX[name]}01"] if HEADCOUNT[name] else 0
        element = {
            "ID": str(number),
            "NAME": name,
            "SORT": 100 * number,
            "PARENT": "1" if number > 1 else "",
            "UF_HEAD": str(head),
        }
        yield DEPARTMENT, number, element
