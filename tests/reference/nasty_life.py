"""What happens to the clients of a nasty company besides their covers: contacts, bills, feedback, fixes, returns.

Facts lie on the edges of every window there is (the day of an exit, 90 and 91 days before it, the first day of a
quarter, the 14th and 15th day of an invitation, the 30th and 31st day after a lapse), and enough clients have random
histories of many quarters that weights, twentieths and deciles are computed over levels of every size, with ties.
"""

import random
from collections.abc import Callable
from datetime import date, time, timedelta
from typing import TYPE_CHECKING

from tests.reference.reading import REASON_CODES

if TYPE_CHECKING:
    from tests.reference.nasty import Nasty

BEFORE_AN_EXIT = [-91, -90, -90, -89, -45, -1, -1, 0, 1]
BEFORE_A_QUARTER = [-366, -365, -91, -90, -90, -89, -60, -40, -15, -14, -13, -2, -1, -1, 0]
CHANNELS = ["call", "email", "chat", "meeting"]
PURPOSES = ["sales", "welcome", "service", "upsell", "upsell", "win_back", "invitation", "fix_notice", "other"]
EMPLOYEES = ["e1", "e2", "e3", "e4", "nobody", ""]
END_REASONS = ["request", "request", "expired", "expired", "", "non_payment", "dismissed"]


def enrich(nasty: "Nasty", keys: list[str]) -> None:
    """Adds the facts; draws from a seed of its own, so that the covers stay what they are without it."""
    own, nasty.rng = nasty.rng, random.Random(f"life {nasty.seed}")
    fix_reasons(nasty)
    for client in keys:
        around_edges(nasty, client)
    lapsed_and_called(nasty)
    leavers_of_fixed_reasons(nasty)
    invitations_to_interviews(nasty)
    rising_prices(nasty)
    ends_of_two_kinds(nasty)
    handovers(nasty)
    besieged(nasty)
    for number in range(nasty.clients // 2):
        random_history(nasty, f"steady-{number}")
    nasty.rng = own


def days(number: int) -> timedelta:
    return timedelta(days=number)


def quarters(nasty: "Nasty") -> list[date]:
    """First days of the quarters of the history, and the day of the clock."""
    found = [
        date(year, month, 1)
        for year in range(nasty.first_day.year, nasty.as_of.year + 1)
        for month in (1, 4, 7, 10)
        if nasty.first_day <= date(year, month, 1) < nasty.as_of
    ]
    return [*found, nasty.as_of]


# ------------------------------------------------------------------------------------------------------- one fact


def client(nasty: "Nasty", key: str, closed_on: date | None = None, consent: str | None = None) -> str:
    nasty.add(
        "clients",
        client_key=key,
        name="Plain",
        segment=nasty.rng.choice(["retail", "agency", ""]),
        registered_at=nasty.stamp(nasty.first_day - days(50)),
        closed_at="" if closed_on is None else nasty.stamp(closed_on),
        marketing_consent=nasty.rng.choice(["", "true", "true", "false"]) if consent is None else consent,
    )
    return key


def contract(nasty: "Nasty", key: str, start: date, end: date | None, **values: str) -> None:
    """A paid contract that does what it says: a price in the company's currency, no trial."""
    row = {"price": "100", "currency": "", "billing_period": "month", "end_reason": "", "is_trial": "false", **values}
    nasty.add(
        "contracts",
        client_key=key,
        plan="basic",
        started_on=start.isoformat(),
        ended_on="" if end is None else end.isoformat(),
        **row,
    )


def contact(nasty: "Nasty", key: str, day: date, purpose: str | None = None, direction: str = "outbound") -> None:
    nasty.add(
        "contacts",
        client_key=key,
        employee_key=nasty.rng.choice(EMPLOYEES),
        direction=direction,
        channel=nasty.rng.choice(CHANNELS),
        purpose=purpose or nasty.rng.choice(PURPOSES),
        occurred_at=nasty.stamp(day),
    )


def invoice(nasty: "Nasty", key: str, day: date, disputed_on: date | None = None, kind: str | None = None) -> None:
    row = nasty.add(
        "invoices",
        client_key=nasty.billing_key(key),
        issued_at=nasty.stamp(day),
        due_at=nasty.stamp(day + days(14)),
        total="10",
        currency=nasty.rng.choice(["", "", nasty.currency, "USD", "JPY"]),
        disputed_at="" if disputed_on is None else nasty.stamp(disputed_on),
    )
    for number in range(1, nasty.rng.choice([1, 1, 2, 3]) + 1):
        what = kind or nasty.rng.choice(["subscription", "usage", "fee", "discount"])
        amount = nasty.rng.choice(["-5.55", "-0.01"]) if what == "discount" else nasty.rng.choice(["1.5", "99.99", "0"])
        nasty.add("invoice_lines", invoice_key=row["invoice_key"], line_no=str(number), kind=what, amount=amount)


def fee(nasty: "Nasty", key: str, day: date) -> None:
    invoice(nasty, key, day, kind="fee")


def dispute(nasty: "Nasty", key: str, day: date) -> None:
    invoice(nasty, key, day - days(nasty.rng.choice([0, 1, 40, 100])), disputed_on=day)


def refusal(nasty: "Nasty", key: str, day: date) -> None:
    """A refund refused on the day; one without the date of its decision was asked on it."""
    is_dated = nasty.chance(0.6)
    asked_on = day - days(nasty.rng.choice([1, 30, 95])) if is_dated else day
    nasty.add(
        "refunds",
        client_key=nasty.billing_key(key),
        requested_at=nasty.stamp(asked_on),
        **nasty.amount(),
        decision=nasty.rng.choice(["refused", "refused", "paid"]),
        decided_at=nasty.stamp(day) if is_dated else "",
    )


def payment(nasty: "Nasty", key: str, day: date, status: str | None = None) -> None:
    nasty.add(
        "payments",
        client_key=nasty.billing_key(key),
        **nasty.amount(),
        status=status or nasty.rng.choice(["succeeded", "failed"]),
        paid_at=nasty.stamp(day),
    )


def failure(nasty: "Nasty", key: str, day: date) -> None:
    payment(nasty, key, day, "failed")


def offers(nasty: "Nasty", key: str, day: date) -> None:
    """Two, three or four offers up to the day, the first of them perhaps outside of a window."""
    for number in range(nasty.rng.choice([1, 2, 3, 4])):
        contact(nasty, key, day + days(number), "upsell", nasty.rng.choice(["outbound", "outbound", "inbound"]))


def mailing(nasty: "Nasty", key: str, day: date) -> None:
    sent = day - days(nasty.rng.choice([1, 30, 100]))
    nasty.add(
        "mailings",
        client_key=key,
        sent_at=nasty.stamp(sent),
        opened_at=nasty.stamp(day) if nasty.chance(0.3) else "",
        unsubscribed_at=nasty.stamp(day) if nasty.chance(0.5) else "",
    )


def opinion(nasty: "Nasty", key: str, day: date) -> None:
    """Feedback of any kind; acted on the same day, around the 14th day, around the 90th, or never."""
    acted = nasty.rng.choice([None, None, 1, 13, 14, 15, 16, 89, 90])
    nasty.add(
        "feedback",
        client_key=nasty.ticket_key(key),
        kind=nasty.rng.choice(["operator_rating", "review", "survey", "complaint", "complaint", "idea", "praise"]),
        score=nasty.rng.choice(["", "3.99", "4", "4.49", "4.5", "5", "5", "1"]),
        is_public=nasty.rng.choice(["true", "false"]),
        submitted_at=nasty.stamp(day),
        acted_on_at="" if acted is None else nasty.stamp(day + days(acted)),
    )


def assignment(nasty: "Nasty", key: str, day: date) -> None:
    length = nasty.rng.choice([None, 1, 30, 200])
    employee = nasty.rng.choice(["e1", "e2", "e3", "nobody"])
    taken = {
        (row["client_key"], row["employee_key"], row["role"], row["valid_from"])
        for row in nasty.tables["manager_assignments"]
    }
    role = nasty.rng.choice(["account_manager", "account_manager", "account_manager", "sales"])
    if (key, employee, role, day.isoformat()) in taken:
        return
    nasty.add(
        "manager_assignments",
        client_key=key,
        employee_key=employee,
        role=role,
        valid_from=day.isoformat(),
        valid_to="" if length is None else (day + days(length)).isoformat(),
    )


def ticket(nasty: "Nasty", key: str, day: date) -> None:
    """A ticket with a talk of a few turns around awkward instants, solved or not, solved twice, taken up again."""
    opened = nasty.moment(day, nasty.rng.choice([time(8, 59, 59), time(9), time(9), time(17, 30), time(23, 59, 59)]))
    row = nasty.add(
        "tickets",
        client_key=nasty.ticket_key(key),
        queue=nasty.rng.choice(["support", "billing"]),
        topic=nasty.rng.choice(["", "delivery", "price"]),
        sla_class=nasty.rng.choice(["ours", "third_party"]),
        opened_at=nasty.text(opened),
        opened_by=nasty.rng.choice(["client", "client", "client", "employee"]),
    )
    waits = [timedelta(0), timedelta(seconds=1), timedelta(hours=9), timedelta(hours=9, seconds=1), days(1), days(3)]
    waits += [days(4), days(14), days(40)]
    now = opened
    for _ in range(nasty.rng.choice([0, 1, 2, 3, 5])):
        now += nasty.rng.choice(waits)
        author = nasty.rng.choice(["client", "client", "employee", "employee", "auto"])
        nasty.add(
            "messages",
            ticket_key=row["ticket_key"],
            author=author,
            employee_key=nasty.rng.choice(EMPLOYEES) if author == "employee" else "",
            sent_at=nasty.text(now),
        )
        if nasty.chance(0.3):
            nasty.add(
                "ticket_events",
                ticket_key=row["ticket_key"],
                kind=nasty.rng.choice(["promise_changed", "promise_changed", "reopened", "solved"]),
                new_value=nasty.rng.choice(["", "2024-05-01", "2024-05-02"]),
                occurred_at=nasty.text(now),
            )
    for kind in nasty.rng.choice([[], ["solved"], ["closed"], ["solved", "closed"], ["solved", "reopened", "closed"]]):
        now += nasty.rng.choice(waits)
        nasty.add("ticket_events", ticket_key=row["ticket_key"], kind=kind, occurred_at=nasty.text(now))


Fact = Callable[["Nasty", str, date], None]
FACTS: list[Fact] = [fee, dispute, refusal, payment, failure, contact, offers, mailing, opinion, opinion, ticket]
FACTS += [ticket, assignment]


# ------------------------------------------------------------------------------------------------ clients that exist


def around_edges(nasty: "Nasty", key: str) -> None:
    """Facts on the edges of the 90 days before what may be an exit."""
    for edge in nasty.edges[key]:
        for _ in range(nasty.rng.choice([0, 0, 1, 3])):
            nasty.rng.choice(FACTS)(nasty, key, nasty.near(edge, BEFORE_AN_EXIT))


def fix_reasons(nasty: "Nasty") -> None:
    """Fixes planned again, planned for the same day, done without a plan, done too late, not done."""
    middle = nasty.first_day + days(nasty.span_days // 2)
    edges = sorted({edge for found in nasty.edges.values() for edge in found if nasty.first_day < edge < nasty.as_of})
    on_an_edge = edges[len(edges) * 2 // 3]
    plans: list[tuple[int, date | None, date | None]] = [
        (0, on_an_edge - days(10), on_an_edge),
        (0, on_an_edge - days(50), None),  # planned earlier: it does not speak
        (0, None, on_an_edge + days(1)),
        (1, nasty.as_of - days(1), None),  # overdue
        (2, middle, middle + days(3)),  # three of one plan: the later fix speaks, of two the greater key
        (2, middle, None),
        (2, middle, middle + days(3)),
        (7, middle - days(10), middle),
        (8, nasty.as_of - days(130), nasty.as_of - days(125)),
        (9, nasty.as_of + days(30), nasty.as_of - days(400)),  # fixed before the day planned
        (10, nasty.as_of - days(30), nasty.as_of),  # not fixed yet
        (11, nasty.as_of, None),  # not overdue yet
        (12, nasty.as_of - days(3), nasty.as_of - days(1)),
    ]
    for number, (reason, planned_on, fixed_on) in enumerate(plans):
        nasty.add(
            "reason_fixes",
            fix_key=f"fix-{number}",
            reason_code=REASON_CODES[reason],
            owner_department=f"department {number}",
            planned_on="" if planned_on is None else planned_on.isoformat(),
            fixed_on="" if fixed_on is None else fixed_on.isoformat(),
        )


def answered(nasty: "Nasty", key: str, day: date, reason: int) -> None:
    """An interview answered on the day of its invitation."""
    asked = nasty.moment(day, time(12))
    nasty.add(
        "exit_interviews",
        client_key=key,
        invited_at=nasty.text(asked),
        channel="email",
        answered_at=nasty.text(asked + timedelta(minutes=5)),
        reason_code=REASON_CODES[reason],
    )


# ---------------------------------------------------------------------------------------------------------- win-back


def lapsed_and_called(nasty: "Nasty") -> None:
    """Silent exits, calls on the edges of the 30 days, returns on the edges of what counts."""
    returns = [None, None, None, 8, 29, 30, 31, 60, 119, 120, 121, 394, 395, 396]
    calls = [None, -1, 0, 15, 30, 31]
    for number, back in enumerate(returns * 3):
        key = client(nasty, f"lapsed-{number}")
        left = nasty.first_day + days(100 + nasty.rng.randrange(360))
        left = nasty.rng.choice([left, left, left.replace(day=1), nasty.as_of - days(30), nasty.as_of - days(31)])
        contract(nasty, key, left - days(200), left, end_reason=nasty.rng.choice(["", "expired"]))
        for _ in range(nasty.rng.choice([1, 1, 2])):
            call = nasty.rng.choice(calls)
            if call is not None:
                purpose = nasty.rng.choice(["win_back", "win_back", "win_back", "other"])
                direction = nasty.rng.choice(["outbound", "outbound", "outbound", "inbound"])
                contact(nasty, key, left + days(call), purpose, direction)
        if back is None:
            continue
        came = left + days(back)
        stay = nasty.rng.choice([None, 60, 400])
        contract(nasty, key, came, None if stay is None else came + days(stay), end_reason="expired")
        for offset in (-1, 0, 100, 364, 365, 366):
            if nasty.chance(0.5):
                payment(nasty, key, came + days(offset), "succeeded")
        if nasty.chance(0.5):
            refusal(nasty, key, came + days(nasty.rng.choice([0, 20, 364, 366])))


def leavers_of_fixed_reasons(nasty: "Nasty") -> None:
    """Exits around the fix of their reason, invitations before and after it, returns before, on and after it."""
    fixed = {7: nasty.first_day + days(nasty.span_days // 2), 8: nasty.as_of - days(125), 9: nasty.as_of - days(400)}
    number = 0
    for reason, day in fixed.items():
        for left in (-150, -100, -100, -1, 0, 1):
            for back in (None, None, -1, 0, 1, 90, 91, 365, 366):
                came = None if back is None else day + days(back)
                gone = day + days(left)
                if came is not None and came <= gone + days(8):
                    continue
                number += 1
                end_reason = nasty.rng.choice(END_REASONS)
                closes = gone if nasty.chance(0.1) else None
                key = client(nasty, f"leaver-{number}", closes, nasty.rng.choice(["true", "true", "false", ""]))
                contract(nasty, key, gone - days(120), gone, end_reason=end_reason)
                answered(nasty, key, gone, reason)
                if came is not None:
                    contract(nasty, key, came, None)
                    payment(nasty, key, came + days(3), "succeeded")
                for purpose in ("invitation", "fix_notice"):
                    for _ in range(nasty.rng.choice([0, 1, 2])):
                        said = nasty.rng.choice([day - days(1), day, day, day + days(10), came or day])
                        said -= days(nasty.rng.choice([0, 0, 1]))
                        contact(nasty, key, said, purpose, nasty.rng.choice(["outbound"] * 4 + ["inbound"]))
    for reason in (10, 11, 12, 13):
        key = client(nasty, f"leaver-of-{reason}", consent="true")
        contract(nasty, key, nasty.as_of - days(200), nasty.as_of - days(40), end_reason="request")
        answered(nasty, key, nasty.as_of - days(39), reason)


def invitations_to_interviews(nasty: "Nasty") -> None:
    """Interviews before any spell, in one, after it, on its edges; answers on day 14 and 15; the last ones immature."""
    for number in range(12):
        key = client(nasty, f"asked-{number}")
        start = nasty.first_day + days(100 + 30 * number)
        end = start + days(60)
        contract(nasty, key, start, end, end_reason=nasty.rng.choice(END_REASONS))
        again = end + days(30)
        if nasty.chance(0.6):
            contract(nasty, key, again, None)
        last = [nasty.as_of - days(16), nasty.as_of - days(15), nasty.as_of - days(14), nasty.as_of - days(1)]
        for day in (start - days(1), start, end - days(1), end, again - days(1), again, nasty.rng.choice(last)):
            if nasty.chance(0.4):
                continue
            asked = nasty.moment(day)
            after = nasty.rng.choice([None, 0, 13, 14, 14, 15, 15, 40])
            said = None if after is None else max(asked, nasty.moment(day + days(after)))
            nasty.add(
                "exit_interviews",
                client_key=key,
                invited_at=nasty.text(asked),
                channel="email",
                answered_at="" if said is None else nasty.text(said),
                reason_code=nasty.rng.choice(["", *REASON_CODES]) if said else "",
            )


# -------------------------------------------------------------------------------------------- prices and hand-overs


def rising_prices(nasty: "Nasty") -> None:
    """Contracts that follow one another: on the edges of the grace days, over a trial, after two at once."""
    grace = 7 if nasty.seed == 11 else 3 if nasty.seed == 2 else 0
    stories: list[list[tuple[int, int, str, str]]] = [  # first day, length, price, is_trial
        [(0, 100, "100", "false"), (100, 100, "120", "false")],
        [(0, 100, "100", "false"), (100 + grace, 100, "120", "false")],
        [(0, 100, "100", "false"), (101 + grace, 100, "120", "false")],
        [(0, 100, "100", "false"), (99, 100, "120", "false")],  # it began before the other ended
        [(0, 100, "100", "false"), (100, 100, "100", "false")],
        [(0, 100, "120", "false"), (100, 100, "100", "false")],
        [(0, 100, "10", "true"), (100, 100, "120", "false")],
        [(0, 100, "0", "false"), (100, 100, "120", "false")],
        [(0, 100, "100", "false"), (100, 30, "120", "true"), (130, 90, "130", "false")],
        [(0, 100, "100", "false"), (50, 50, "130", "false"), (100, 100, "120", "false")],  # the later started speaks
        [(0, 100, "130", "false"), (0, 100, "100", "false"), (100, 100, "120", "false")],  # the greater key speaks
        [(0, 100, "100", "false"), (0, 100, "130", "false"), (100, 100, "120", "false")],
        [(0, 99, "130", "false"), (0, 100, "100", "false"), (100 + grace, 100, "120", "false")],
    ]
    for number, story in enumerate(stories * 3):
        key = client(nasty, f"price-{number}")
        begin = nasty.rng.choice(quarters(nasty)[2:-1]) - days(100 + nasty.rng.choice([0, 1, 89, 90, 91]))
        for first, length, price, is_trial in story:
            start = begin + days(first)
            period = nasty.rng.choice(["month", "month", "quarter"])
            if (first, length, price, is_trial) == story[-1]:
                length = nasty.rng.choice([60, 89, 90, 91])  # the exit follows the rise
            end = start + days(length)
            contract(nasty, key, start, end, price=price, is_trial=is_trial, billing_period=period)


def ends_of_two_kinds(nasty: "Nasty") -> None:
    """Contracts not paid for that end on the last day of a prepaid account, and beside it."""
    for number, offset in enumerate([0, 0, 0, 0, -1, 1]):
        key = client(nasty, f"ends-{number}")
        end = nasty.first_day + days(200 + 20 * number)
        contract(nasty, key, end - days(100), end + days(offset), end_reason="non_payment")
        nasty.add(
            "prepaid_events",
            client_key=key,
            kind="top_up",
            amount="10",
            occurred_at=nasty.stamp(end - days(nasty.lapse_days)),
        )


def handovers(nasty: "Nasty") -> None:
    """First contacts and welcome calls on the edges of their days; spells that end on the day the call is due."""
    for number, offset in enumerate([-1, 0, 1, 14, 15, 19, 20, 45, 46, None] * 2):
        key = client(nasty, f"welcome-{number}")
        start = nasty.rng.choice(quarters(nasty)[1:-1]) + days(nasty.rng.randrange(60))
        start = nasty.rng.choice([start, start, nasty.as_of - days(46), nasty.as_of - days(80)])
        end = nasty.rng.choice([None, None, start + days(45), start + days(46), start + days(44)])
        contract(nasty, key, start, end)
        if offset is not None:
            contact(nasty, key, start + days(offset), nasty.rng.choice(["welcome", "welcome", "service"]))
            contact(nasty, key, start + days(offset), "welcome", "inbound")
        if nasty.chance(0.3):
            contact(nasty, key, start + days(30), "welcome")


def besieged(nasty: "Nasty") -> None:
    """Offered more than anybody else, and gone, to the last one; with a bill disputed on the last day and after it."""
    for number in range(2):
        key = client(nasty, f"besieged-{number}")
        day = quarters(nasty)[-4]
        contract(nasty, key, day - days(80), day + days(10), end_reason="expired")
        for _ in range(12):
            contact(nasty, key, day - days(5), "upsell")
        for disputed_on in (nasty.as_of - days(1), nasty.as_of, nasty.as_of):
            invoice(nasty, key, day, disputed_on=disputed_on)


# ------------------------------------------------------------------------------------------------------ many quarters


def random_history(nasty: "Nasty", key: str) -> None:
    """A client of many quarters whose facts lie on the edges of the 90 days before each of them."""
    client(nasty, key)
    start = nasty.first_day + days(nasty.rng.randrange(nasty.span_days * 2 // 3))
    price = nasty.rng.choice(["50", "100", "100"])
    habits = nasty.rng.sample(FACTS, 4)
    while start < nasty.as_of:
        length = nasty.rng.choice([45, 90, 91, 180, 270, 365, 600, 900])
        end = start + days(length)
        contract(nasty, key, start, end, price=price, end_reason=nasty.rng.choice(END_REASONS))
        start = end + days(nasty.rng.choice([0, 0, 7, 8, 40]))
        price = nasty.rng.choice([price, "120", "80"])
        if nasty.chance(0.4):
            break
    for day in quarters(nasty):
        for _ in range(nasty.rng.choice([0, 1, 1, 2])):
            fact = nasty.rng.choice([*habits, *FACTS])
            fact(nasty, key, nasty.near(day, BEFORE_A_QUARTER))
        if nasty.chance(0.1):
            for offset in (-400, -366, -365):
                assignment(nasty, key, day + days(offset))


# ------------------------------------------------------------------------------------------------------------- seeds


def dated_events(nasty: "Nasty") -> list[dict[str, str]]:
    """The company's own dated events: in the middle of a month, too early, just ripe, not yet."""
    edge = nasty.as_of.replace(day=1)
    year_ago = edge.replace(year=edge.year - 1)
    events = [
        (nasty.first_day + days(40), "too early"),
        (year_ago, "just ripe"),
        (year_ago - days(15), "in the middle of a month"),
        (year_ago - days(15), "another on the same day"),
        (year_ago + days(31), "not ripe"),
        (nasty.as_of - days(500), "long ago"),
        ((nasty.as_of - days(91 + 334)).replace(day=1), "returns of the last month ripe in part"),
        (nasty.as_of, "not yet"),
    ]
    return [{"event_on": day.isoformat(), "event_name": name} for day, name in events]


# Signal → (level, lower bound, is it the reference) of a company that looks at fewer things, in another way: values and
# missing ones without a level, a reference in the middle, bounds between whole numbers.
OWN_LEVELS = {
    "people_met": [("few", "1", "false"), ("some", "2", "true")],
    "longest_silence": [("short", "0", "true"), ("long", "6.5", "false"), ("too long", "9", "false")],
    "satisfaction": [
        ("bad", "0", "false"),
        ("fair", "3.25", "true"),
        ("good", "4.5", "false"),
        ("silent", "", "false"),
    ],
    "promise_changes": [("kept", "0", "true"), ("broken", "1", "false")],
    "failed_payments": [("none", "0", "false"), ("one", "1", "true"), ("more", "2", "false")],
    "upsell_contacts": [("left alone", "0", "true"), ("courted", "2", "false"), ("besieged", "12", "false")],
    "tenure_band": [("young", "0", "false"), ("grown", "91", "false"), ("old", "180", "true")],
}


def driver_levels() -> list[dict[str, str]]:
    return [
        {"signal": signal, "level": level, "lower_bound": bound, "is_reference": is_reference}
        for signal, levels in OWN_LEVELS.items()
        for level, bound, is_reference in levels
    ]


def driver_texts() -> list[dict[str, str]]:
    return [
        {"signal": signal, "level": level, "reason": f"{signal}: {level}"}
        for signal, levels in OWN_LEVELS.items()
        for level, _, _ in levels
    ]


def unit_costs() -> list[dict[str, str]]:
    """A company's own: a chat costs nothing."""
    costs = {"ticket": "7.77", "message": "0.33", "call": "12.34", "email": "0.01", "chat": "0", "meeting": "100.5"}
    return [{"activity": activity, "unit_cost": cost} for activity, cost in costs.items()]
