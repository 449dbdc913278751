"""Harm prevented: a service desk that is compared on companies too tame to tell a wrong rule from the right one.

Changing any rule of the service reference on purpose must change what it says about one of the nasty companies.
"""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.reference import model, service
from tests.reference.companies import CASES


@pytest.fixture(scope="module")
def companies(tmp_path_factory) -> list[model.Company]:
    base = tmp_path_factory.mktemp("companies")
    return [model.load_company(case.write(base / str(position)), case.config()) for position, case in enumerate(CASES)]


@pytest.fixture(scope="module")
def results(companies) -> list[dict]:
    return [service.compute_service(company) for company in companies]


def column(results: list[dict], mart: str, name: str) -> list:
    return [row[name] for result in results for row in result[mart]]


def test_every_figure_is_reached_and_every_empty_one_too(results):
    """No column of the family is zero, or never empty where it may be, on all companies."""
    for mart in service.MARTS:
        for name in results[0][mart][0]:
            values = column(results, mart, name)
            assert any(values), f"{mart}.{name} is always 0 or empty"
    for mart, name in (
        ("service_monthly", "median_first_response_minutes"),
        ("service_monthly", "median_resolution_minutes"),
        ("feedback_monthly", "median_days_to_action"),
        ("feedback_monthly", "median_answer_minutes"),
        ("satisfaction_monthly", "satisfaction_index"),
        ("satisfaction_monthly", "is_warning"),
        ("manager_monthly", "median_first_response_minutes"),
        ("manager_monthly", "satisfaction_index"),
    ):
        assert None in column(results, mart, name), f"{mart}.{name} is never empty"
    assert set(column(results, "satisfaction_monthly", "is_warning")) == {True, False, None}


def test_parts_of_the_service_marts_close(results):
    for result in results:
        for row in result["service_monthly"]:
            assert row["with_manager_solved"] + row["without_manager_solved"] == row["solved"] <= row["tickets"]
            assert row["before_manager_solved"] + row["after_manager_solved"] <= row["solved"]
            assert row["first_response_met"] + row["first_response_breached"] <= row["tickets"]
            assert row["resolution_met"] + row["resolution_breached"] <= row["tickets"]
        for row in result["ticket_quality_monthly"]:
            assert row["unanswered_1d"] >= row["unanswered_3d"] >= row["unanswered_7d"]
            assert row["promise_changes"] >= row["promise_changed_tickets"]
        for row in result["feedback_monthly"]:
            assert row["negative_public_unanswered"] <= min(row["unanswered"], row["negative_public"])
            assert row["ignored"] + row["acted_on"] <= row["submitted"]
        for mart in ("satisfaction_monthly", "communication_monthly"):
            summed = {}
            for row in result[mart]:
                sums = summed.setdefault(row["month"], {})
                sign = 1 if row["segment"] == "all" else -1
                for name, value in row.items():
                    if isinstance(value, int) and not isinstance(value, bool):
                        sums[name] = sums.get(name, 0) + sign * value
            assert all(value == 0 for sums in summed.values() for value in sums.values())


# Rule of the reference → the same rule with a mistake that an implementation could well make.
MISTAKES = {
    "exceptions of the calendar are not read": ("self.exceptions.get(day, (", "self.exceptions.get(None, ("),
    "a closed day of the seed is a regular one": (
        "(0, 0) if is_closed",
        "(of_text('09:00'), of_text('18:00')) if is_closed",
    ),
    "a worked weekend stays closed": ("if day not in self.exceptions and WEEK", "if WEEK"),
    "business time is read in another zone": (
        "end.astimezone(calendar.config.zone)",
        "end.astimezone(__import__('zoneinfo').ZoneInfo('UTC'))",
    ),
    "whole minutes only": (
        "return business_microseconds(calendar, start, end) / MINUTE",
        "return business_microseconds(calendar, start, end) // MINUTE",
    ),
    "a target met exactly is missed": ("done_at or found.as_of_at) > limit", "done_at or found.as_of_at) >= limit"),
    "targets are judged in whole minutes": (
        "done_at or found.as_of_at) > limit",
        "done_at or found.as_of_at) // MINUTE * MINUTE > limit",
    ),
    "an open ticket is never breached": ('return "breached"\n', 'return "breached" if done_at else None\n'),
    "an open ticket in time is met": ('return "met" if done_at is not None else None', 'return "met"'),
    "an automatic answer counts": ('return self.author == "employee"', 'return self.author != "client"'),
    "an answer of an unknown employee does not count": (
        'return self.author == "employee"',
        'return self.author == "employee" and self.employee_id is not None',
    ),
    "messages before the opening count": (
        'if ticket is not None and row["sent_at"] >= ticket.opened_at:',
        "if ticket is not None:",
    ),
    "messages at the opening do not count": (
        'row["sent_at"] >= ticket.opened_at',
        'row["sent_at"] > ticket.opened_at',
    ),
    "events before the opening count": (
        'if ticket is not None and row["occurred_at"] >= ticket.opened_at:',
        "if ticket is not None:",
    ),
    "events at the opening do not count": (
        'row["occurred_at"] >= ticket.opened_at',
        'row["occurred_at"] > ticket.opened_at',
    ),
    "events of one instant in the order of the file": (
        "key=lambda event: (event.occurred_at, event.key)",
        "key=lambda event: event.occurred_at",
    ),
    "messages of one instant in the order of the file": (
        "key=lambda message: (message.sent_at, message.key)",
        "key=lambda message: message.sent_at",
    ),
    "facts of as_of itself count": ("if day_of(row[column]) < as_of)", "if day_of(row[column]) <= as_of)"),
    "a later timestamp on as_of counts": ("day_of(moment) >= as_of else moment", "day_of(moment) > as_of else moment"),
    "tickets that we opened have a first response": ('if ticket.opened_by != "client":', "if False:"),
    "a resolution is no answer": ("if message.is_ours] + ticket.resolutions", "if message.is_ours]"),
    "only solved resolves": ('self.kind in ("solved", "closed")', 'self.kind in ("solved",)'),
    "the last resolution is the first": (
        "return min(ticket.resolutions, default=None)",
        "return max(ticket.resolutions, default=None)",
    ),
    "reopened at the instant of the solution": (
        "any(moment < event.occurred_at for moment in ticket.resolutions)\n        for event",
        "any(moment <= event.occurred_at for moment in ticket.resolutions)\n        for event",
    ),
    "reopened without a solution": (
        "any(moment < event.occurred_at for moment in ticket.resolutions)\n        for event",
        "True\n        for event",
    ),
    "silence goes on after the solution": (
        "if opened is not None and event.is_resolution:",
        "if False:",
    ),
    "a reopening does not open again": ('elif opened is None and event.kind == "reopened":', "elif False:"),
    "a client's message breaks the silence": (
        "if message.is_ours and start < message.sent_at",
        "if start < message.sent_at",
    ),
    "a silence that lasts is not counted": (
        "end or found.as_of_at)\n            for ticket",
        "end or start)\n            for ticket",
    ),
    "the first promise is a change": (
        "for position in range(1, len(promises))",
        "for position in range(len(promises))",
    ),
    "every later promise is a change": (
        "if promises[position].new_value != promises[position - 1].new_value",
        "if True",
    ),
    "a promise taken back is no change": (
        "if promises[position].new_value != promises[position - 1].new_value",
        "if promises[position].new_value not in (None, promises[position - 1].new_value)",
    ),
    "an answer of the same instant answers": (
        "if each.is_ours and each.sent_at > message.sent_at",
        "if each.is_ours and each.sent_at >= message.sent_at",
    ),
    "ages are calendar days": (
        "sum(age >= timedelta(days=days) for age in ages)",
        "sum(age.days + 1 >= days for age in ages)",
    ),
    "an age of exactly a day is none": (
        "sum(age >= timedelta(days=days) for age in ages)",
        "sum(age > timedelta(days=days) for age in ages)",
    ),
    "automatic messages break a row": ('if message.author != "auto"]', "]"),
    "tickets without a topic repeat": ("return ticket.topic is not None and any(", "return any("),
    "tickets of one instant repeat each other": (
        "and other.opened_at < ticket.opened_at",
        "and other is not ticket and other.opened_at <= ticket.opened_at",
    ),
    "thirty days exactly are too late": (
        "ticket.opened_at - other.opened_at <= timedelta(days=30)",
        "ticket.opened_at - other.opened_at < timedelta(days=30)",
    ),
    "repeats by calendar days": (
        "ticket.opened_at - other.opened_at <= timedelta(days=30)",
        "(ticket.opened_on - other.opened_on).days <= 30",
    ),
    "the running month is left out": ("if running < company.as_of:", "if False:"),
    "an answer in exactly a working day is late": (
        "sum(spent <= WORKING_DAY_MINUTES * MINUTE for spent in answers)",
        "sum(spent < WORKING_DAY_MINUTES * MINUTE for spent in answers)",
    ),
    "a two is not negative": (
        "item.score is not None and item.score <= 2",
        "item.score is not None and item.score < 2",
    ),
    "scores keep their third digit": ('row["score"].quantize(Decimal("0.01"), ROUND_HALF_UP)', 'row["score"]'),
    "private reviews are public": ('if item.kind == "review" and item.is_public', 'if item.kind == "review"'),
    "negative surveys are reviews": ('if item.kind == "review" and item.is_public', "if item.is_public"),
    "ignored after fourteen days exactly": (
        "item.submitted_on < company.as_of - timedelta(days=14)",
        "item.submitted_on <= company.as_of - timedelta(days=14)",
    ),
    "parts are not weighted": (
        "weights = {part: kinds.get(kind, Fraction(0)) for part, kind in SATISFACTION_PARTS.items()}",
        "weights = {part: Fraction(1) for part in SATISFACTION_PARTS}",
    ),
    "a missing part is zero": (
        "total = sum((weights[part] for part in means)",
        "total = sum((weights[part] for part in weights)",
    ),
    "the target is a constant": ("target = satisfaction_target(company)", "target = 4.5"),
    "a four is not satisfied": ("sum(score >= 4 for score in scored)", "sum(score > 4 for score in scored)"),
    "ninety-one days": ("first_of_90 = last - timedelta(days=89)", "first_of_90 = last - timedelta(days=90)"),
    "eighty-nine days": ("first_of_90 = last - timedelta(days=89)", "first_of_90 = last - timedelta(days=88)"),
    "inbound contacts are met": ('if contact.direction == "outbound" and first', "if first"),
    "automatic senders are met": ("if message.is_ours and first <= message.sent_on", "if first <= message.sent_on"),
    "unknown employees are met": ("return met - {None}", "return met"),
    "an unknown employee is known": ("return key if key in known_employees else None", "return key"),
    "the first assignment is a change": (
        "row.valid_from > first_assigned_on(found, row.client_id)]",
        "row.valid_from >= first_assigned_on(found, row.client_id)]",
    ),
    "an assignment is in force on its last day": ("day < self.valid_to)", "day <= self.valid_to)"),
    "an assignment begins a day late": ("self.valid_from <= day and", "self.valid_from < day and"),
    "the first of two managers": ("latest = max(row.valid_from", "latest = min(row.valid_from"),
    "the greater key of two managers": ("return min(row.employee_id for row", "return max(row.employee_id for row"),
    "sales are account managers": ('if row["role"] == "account_manager"', "if True"),
    "before includes the day of the assignment": (
        "each.opened_on < assigned[each.key]",
        "each.opened_on <= assigned[each.key]",
    ),
    "upsell of either direction": (
        'contact.direction == "outbound" and contact.purpose == "upsell"',
        'contact.purpose == "upsell"',
    ),
    "unsubscriptions, not clients": (
        "mailing.client_id\n                            for",
        "id(mailing)\n                            for",
    ),
    "an opening after the edge ends the silence": (
        "mailing.opened_on is not None and mailing.opened_on <= last",
        "mailing.opened_on is not None",
    ),
    "one mailing not opened is silence": (
        "if not any(mailing.opened_on is not None and mailing.opened_on <= last for mailing in mailings)",
        "if not all(mailing.opened_on is not None and mailing.opened_on <= last for mailing in mailings)",
    ),
    "a manager until the first of the month works in it": (
        "row.valid_to is None or row.valid_to > month",
        "row.valid_to is None or row.valid_to >= month",
    ),
    "assignments, not clients": (
        "{row.client_id for row in overlapping if",
        "{id(row) for row in overlapping if",
    ),
    "an own key beats a link": (
        'return links.get(("tickets", row["client_key"]), row["client_key"])',
        'return row["client_key"]',
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_any_rule_would_be_seen_on_these_companies(mistake, companies, results, monkeypatch):
    right, wrong = MISTAKES[mistake]
    source = Path(service.__file__).read_text(encoding="utf-8")
    assert right in source, "the rule is written differently by now: bring this list up to date"
    mutant = ModuleType("tests.reference.mutant_service")
    monkeypatch.setitem(sys.modules, mutant.__name__, mutant)  # dataclasses look their module up
    exec(compile(source.replace(right, wrong), mutant.__name__, "exec"), mutant.__dict__)
    for company, expected in zip(companies, results, strict=True):
        monkeypatch.delitem(company.__dict__, "facts", raising=False)
        monkeypatch.delitem(company.__dict__, "facts", raising=False)
        for mart, (build, _) in mutant.MARTS.items():
            if build(company) != expected[mart]:
                return
    pytest.fail(f"{mistake}: no company tells it from the rule")
