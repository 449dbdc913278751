"""Harm prevented: an oracle that is itself wrong.

The independent reference is held to the worked cases of the definitions page by values worked out by hand, before the
product is compared with it on companies too large to check by eye.
"""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from tests.reference.folder import write_company
from tests.reference.marts import compute
from tests.reference.model import kaplan_meier, wilson
from tests.reference.reading import Config, Rate, round_money

Tables = dict[str, list[dict[str, str]]]


def marts(folder: Path, tables: Tables, as_of: str, **settings) -> dict:
    known = {row["client_key"] for rows in tables.values() for row in rows if "client_key" in row}
    full = {"clients": [{"client_key": key} for key in sorted(known)], **tables}
    return compute(write_company(folder, full), Config(date.fromisoformat(as_of), **settings))


def rows(mart: list[dict], **where) -> list[dict]:
    return [row for row in mart if all(row[name] == value for name, value in where.items())]


def one(mart: list[dict], **where) -> dict:
    found = rows(mart, **where)
    assert len(found) == 1, found
    return found[0]


def contract(client: str, start: str, end: str = "", **more: str) -> dict[str, str]:
    return {"client_key": client, "started_on": start, "ended_on": end, **more}


def released(client: str, asked: str, completed: str, **more: str) -> dict[str, str]:
    return {
        "client_key": client,
        "requested_at": f"{asked}T12:00:00",
        "completed_at": f"{completed}T12:00:00",
        "outcome": "released",
        **more,
    }


def test_mature_window_counts_a_release_only_when_its_window_is_over(tmp_path):
    tables = {
        "contracts": [contract("a", "2022-01-10")],
        "termination_requests": [released("a", "2023-01-01", "2023-01-01")],
    }
    found = marts(tmp_path / "one", tables, "2023-02-20")
    one(found["fct_releases"], client_id="a", released_on=date(2023, 1, 1), handling="free", days_to_release=0)
    assert [row["window_days"] for row in rows(found["return_summary"], dimension="all")] == [30]
    january = rows(found["return_rates"], month=date(2023, 1, 1), handling="all", segment="all")
    assert {row["window_days"]: (row["releases"], row["mature_releases"]) for row in january} == {
        30: (1, 1),
        90: (1, 0),
        180: (1, 0),
        365: (1, 0),
    }
    # 31 January + 30 = 2 March is not before 20 February: the month is immature, though its one release is mature.
    assert one(january, window_days=30)["returned"] == 0
    assert not one(january, window_days=30)["is_mature"]
    assert one(january, window_days=90)["returned"] is None

    four = {
        "contracts": [contract(key, "2022-01-10") for key in "abcd"] + [contract("a", "2023-02-01")],
        "termination_requests": [
            released("a", "2023-01-01", "2023-01-01"),
            released("b", "2023-01-05", "2023-01-05"),
            released("c", "2023-05-01", "2023-05-01"),
            released("d", "2023-05-02", "2023-05-02"),
        ],
    }
    found = marts(tmp_path / "four", four, "2023-06-01")
    quarter = one(found["return_summary"], dimension="all", window_days=90)
    assert (quarter["mature_releases"], quarter["returned"], quarter["return_rate"]) == (2, 1, 0.5)


def test_same_month_return_is_a_release_and_a_return_and_no_churn(tmp_path):
    tables = {
        "contracts": [contract("a", "2023-01-01"), contract("a", "2023-05-25", price="150")],
        "termination_requests": [released("a", "2023-05-10", "2023-05-10")],
    }
    found = marts(tmp_path, tables, "2023-08-01")
    may = one(found["fct_client_months"], month=date(2023, 5, 1))
    assert (may["is_churned"], may["movement"], may["mrr_change"]) == (False, "expansion", Decimal("50.00"))
    release = one(found["fct_releases"])
    assert (release["released_on"], release["returned_on"], release["days_to_return"]) == (
        date(2023, 5, 10),
        date(2023, 5, 25),
        15,
    )
    assert one(found["churn_monthly"], month=date(2023, 5, 1), segment="all")["churned_clients"] == 0


def test_leave_return_leave_makes_two_releases_and_an_unbroken_share_that_never_rises(tmp_path):
    tables = {
        "contracts": [contract("a", "2023-01-15"), contract("a", "2023-04-15"), contract("b", "2023-01-20")],
        "termination_requests": [
            released("a", "2023-02-20", "2023-02-20"),
            released("a", "2023-06-20", "2023-06-20"),
        ],
    }
    found = marts(tmp_path, tables, "2023-08-01")
    assert [(row["spell_number"], row["days_to_return"], row["is_censored"]) for row in found["fct_releases"]] == [
        (1, 54, False),
        (2, None, True),
    ]
    cells = rows(found["retention_cohorts"], cohort_month=date(2023, 1, 1), segment="all")
    assert [row["active_clients"] for row in cells] == [2, 1, 1, 2, 2, 1, 1]
    assert [row["unbroken_clients"] for row in cells] == [2, 1, 1, 1, 1, 1, 1]
    assert [row["cohort_mrr"] for row in cells] == [200, 100, 100, 200, 200, 100, 100]
    assert {row["month0_mrr"] for row in cells} == {200}


def test_two_contracts_ending_one_is_contraction_and_ending_the_last_is_churned(tmp_path):
    tables = {"contracts": [contract("a", "2023-01-01", "2023-03-15"), contract("a", "2023-01-01", "2023-04-15")]}
    found = marts(tmp_path, tables, "2023-06-01")
    assert [(row["month"].month, row["movement"], row["mrr_change"]) for row in found["fct_client_months"]] == [
        (1, "new", 200),
        (2, "retained", 0),
        (3, "contraction", -100),
        (4, "churned", -100),
    ]


def test_returned_is_not_expansion(tmp_path):
    tables = {"contracts": [contract("a", "2023-01-01", "2023-02-10"), contract("a", "2023-04-10")]}
    found = marts(tmp_path, tables, "2023-06-01")
    assert [row["movement"] for row in found["fct_client_months"]] == ["new", "churned", "returned", "retained"]
    april = one(found["mrr_monthly"], month=date(2023, 4, 1), segment="all")
    assert (april["new_mrr"], april["returned_mrr"], april["expansion_mrr"]) == (0, 100, 0)


def test_zero_price_contract_neither_prolongs_nor_starts_a_spell(tmp_path):
    tables = {
        "contracts": [
            contract("a", "2023-01-01", "2023-02-10"),
            contract("a", "2023-02-10", price="0"),
            contract("b", "2023-01-01", price="0"),
            contract("c", "2023-01-01", is_trial="true"),
        ]
    }
    found = marts(tmp_path, tables, "2023-06-01")
    spell = one(found["fct_spells"])
    assert (spell["client_id"], spell["ended_on"], spell["exit_type"]) == ("a", date(2023, 2, 10), "lapsed")
    assert {row["client_id"]: row["status"] for row in found["dim_clients"]} == {
        "a": "lapsed",
        "b": "never_active",
        "c": "never_active",
    }


def test_grace_joins_seven_days_and_neither_eight_nor_over_a_release(tmp_path):
    tables = {
        "contracts": [
            contract("seven", "2023-01-01", "2023-03-01"),
            contract("seven", "2023-03-08"),
            contract("eight", "2023-01-01", "2023-03-01"),
            contract("eight", "2023-03-09"),
            contract("asked", "2023-01-01", "2023-03-01"),
            contract("asked", "2023-03-04"),
        ],
        "termination_requests": [released("asked", "2023-02-27", "2023-03-02")],
    }
    found = marts(tmp_path, tables, "2023-06-01")
    spans = {
        key: [
            (row["started_on"], row["ended_on"], row["exit_type"]) for row in rows(found["fct_spells"], client_id=key)
        ]
        for key in ("seven", "eight", "asked")
    }
    assert spans == {
        "seven": [(date(2023, 1, 1), None, None)],
        "eight": [(date(2023, 1, 1), date(2023, 3, 1), "lapsed"), (date(2023, 3, 9), None, None)],
        "asked": [(date(2023, 1, 1), date(2023, 3, 1), "released"), (date(2023, 3, 4), None, None)],
    }


def test_prepaid_lapse_ends_the_spell_ninety_days_after_the_last_top_up(tmp_path):
    tables = {
        "prepaid_events": [
            {"client_key": "a", "occurred_at": "2023-02-01T10:00:00", "kind": "top_up"},
            {"client_key": "a", "occurred_at": "2023-03-01T10:00:00", "kind": "top_up"},
        ]
    }
    spell = one(marts(tmp_path, tables, "2023-06-01")["fct_spells"])
    assert (spell["started_on"], spell["ended_on"], spell["tenure_days"]) == (date(2023, 2, 1), date(2023, 5, 30), 118)


def test_dismissed_and_asked_is_dismissed_and_no_release(tmp_path):
    tables = {
        "contracts": [contract("a", "2023-01-01")],
        "dismissals": [{"client_key": "a", "dismissed_at": "2023-03-10T10:00:00"}],
        "termination_requests": [released("a", "2023-03-05", "2023-03-10")],
    }
    found = marts(tmp_path, tables, "2023-06-01")
    spell = one(found["fct_spells"])
    assert (spell["exit_type"], spell["is_regretted"], spell["is_voluntary"], spell["defector"]) == (
        "dismissed",
        False,
        False,
        "none",
    )
    assert found["fct_releases"] == []


def test_km_ties_put_events_before_censoring():
    curve = {row["day"]: row for row in kaplan_meier([(5, True), (5, False), (10, True)], 1)}
    assert curve[4]["cumulative_return"] == 0
    assert curve[5]["cumulative_return"] == pytest.approx(1 / 3)
    assert curve[10]["cumulative_return"] == 1
    assert max(curve) == 10
    assert [curve[day]["at_risk"] for day in (0, 5, 6, 10)] == [3, 3, 1, 1]
    # S = 2/3, Greenwood sum = 1 / (3 × 2) = 1/6; exp(1.96 × 0.40825 / 0.405465) = 7.196
    assert curve[5]["ci_low"] == pytest.approx(1 - (2 / 3) ** (1 / 7.1955), abs=2e-4)
    assert curve[5]["ci_high"] == pytest.approx(1 - (2 / 3) ** 7.1955, abs=2e-4)
    assert curve[10]["ci_low"] is None
    assert curve[0]["ci_low"] is None


def test_future_contract_is_not_active_and_not_new_yet(tmp_path):
    tables = {"contracts": [contract("a", "2023-05-01"), contract("b", "2023-04-30")]}
    found = marts(tmp_path, tables, "2023-05-01")
    assert [row["client_id"] for row in found["fct_spells"]] == ["b"]
    assert one(found["dim_clients"], client_id="a")["status"] == "never_active"
    april = one(found["churn_monthly"], month=date(2023, 4, 1), segment="all")
    assert (april["new_clients"], april["closing_clients"]) == (1, 1)


def test_quiet_prepaid_month_is_contraction_to_zero_and_then_expansion(tmp_path):
    tables = {
        "prepaid_events": [
            {"client_key": "a", "occurred_at": f"2023-{month}-10T10:00:00", "amount": "30"}
            for month in ("01", "02", "04")
        ]
    }
    found = marts(tmp_path, tables, "2023-06-01")
    assert [(row["movement"], row["closing_mrr"]) for row in found["fct_client_months"]] == [
        ("new", 30),
        ("retained", 30),
        ("contraction", 0),
        ("expansion", 30),
        ("contraction", 0),
    ]


def test_first_of_month_is_new_in_its_month_and_churned_in_the_next(tmp_path):
    tables = {"contracts": [contract("a", "2023-05-01", "2023-06-01")]}
    found = marts(tmp_path, tables, "2023-07-01")
    months = {row["month"].month: row for row in found["fct_client_months"]}
    assert (months[5]["movement"], months[5]["closing_mrr"]) == ("new", 100)
    assert (months[6]["movement"], months[6]["exit_type"]) == ("churned", "lapsed")
    assert set(months) == {5, 6}


def test_late_paperwork_names_the_first_exit_and_leaves_the_second_spell_uncut(tmp_path):
    tables = {
        "contracts": [contract("a", "2023-01-01", "2023-05-10"), contract("a", "2023-05-25")],
        "termination_requests": [released("a", "2023-05-01", "2023-05-28")],
    }
    found = marts(tmp_path, tables, "2023-08-01")
    assert [(row["started_on"], row["ended_on"], row["exit_type"]) for row in found["fct_spells"]] == [
        (date(2023, 1, 1), date(2023, 5, 10), "released"),
        (date(2023, 5, 25), None, None),
    ]
    release = one(found["fct_releases"])
    assert (release["days_to_return"], release["days_to_release"], release["handling"]) == (15, 27, "obstructed")


def ticket(key: str, opened: str, **more: str) -> dict[str, str]:
    return {"ticket_key": key, "client_key": "a", "opened_at": opened, "topic": "", **more}


def answer(key: str, sent: str, author: str = "employee") -> dict[str, str]:
    return {"ticket_key": key, "sent_at": sent, "author": author}


def event(key: str, occurred: str, kind: str, value: str = "") -> dict[str, str]:
    return {"ticket_key": key, "occurred_at": occurred, "kind": kind, "new_value": value}


def own_calendar(folder: Path, *rows: str) -> None:
    """A calendar of exceptions of the company's own, so that no case leans on the project's seed."""
    (folder / "seeds").mkdir(parents=True, exist_ok=True)
    (folder / "seeds" / "calendar_exceptions.csv").write_text("\n".join(["day,opens_at,closes_at", *rows]) + "\n")


def first_response_minutes(folder: Path, opened: str, answered: str, *calendar: str, **settings: str) -> float:
    own_calendar(folder, *calendar)
    tables = {
        "contracts": [contract("a", "2023-01-01")],
        "tickets": [ticket("t", opened)],
        "messages": [answer("t", answered)],
    }
    return one(marts(folder, tables, "2025-06-01", **settings)["service_monthly"])["median_first_response_minutes"]


def test_friday_evening_to_monday_morning_is_sixty_minutes(tmp_path):
    # 12 January 2024 is a Friday: 17:30–18:00 and 09:00–09:30.
    friday = "2024-01-12T17:30:00"
    assert first_response_minutes(tmp_path / "plain", friday, "2024-01-15T09:30:00") == 60
    assert first_response_minutes(tmp_path / "holiday", friday, "2024-01-16T09:30:00", "2024-01-15,,") == 60
    # Monday works from 10:00 to 13:00 only, or Saturday from 12:00 to 12:20 too.
    assert first_response_minutes(tmp_path / "short", friday, "2024-01-16T09:00:00", "2024-01-15,10:00,13:00") == 210
    assert first_response_minutes(tmp_path / "worked", friday, "2024-01-15T09:30:00", "2024-01-13,12:00,12:20") == 80


def test_dst_does_not_change_the_minutes_of_a_weekend(tmp_path):
    # Clocks change on Sunday 31 March and 27 October 2024 in Berlin, on 10 March and 3 November in New York.
    for zone, friday, monday in (
        ("Europe/Berlin", "2024-03-29", "2024-04-01"),
        ("Europe/Berlin", "2024-10-25", "2024-10-28"),
        ("America/New_York", "2024-03-08", "2024-03-11"),
        ("America/New_York", "2024-11-01", "2024-11-04"),
    ):
        folder = tmp_path / zone / friday
        minutes = first_response_minutes(folder, f"{friday}T17:30:00", f"{monday}T09:30:00", company_timezone=zone)
        assert minutes == 60, (zone, friday)


def test_overdue_open_is_breached_and_one_of_the_last_hour_is_left_out(tmp_path):
    # Monday 22 January 2024: the last three working days are 17, 18 and 19 January.
    tables = {
        "contracts": [contract("a", "2023-01-01")],
        "tickets": [
            ticket("old", "2024-01-17T09:00:00", queue="old"),
            ticket("fresh", "2024-01-19T17:00:00", queue="fresh"),
        ],
    }
    own_calendar(tmp_path)
    found = marts(tmp_path, tables, "2024-01-22")["service_monthly"]
    states = {
        row["queue"]: tuple(
            row[name]
            for name in ("first_response_met", "first_response_breached", "resolution_met", "resolution_breached")
        )
        for row in found
    }
    assert states == {"old": (0, 1, 0, 1), "fresh": (0, 0, 0, 0)}


# ------------------------------------------------------------------------- beside the worked cases, worked by hand


def test_a_target_met_to_the_microsecond_is_met_and_one_more_is_a_breach(tmp_path):
    # Opened on Tuesday at 12:00; 540 business minutes later it is Wednesday, 12:00.
    tables = {
        "contracts": [contract("a", "2023-01-01")],
        "tickets": [ticket(key, "2024-01-16T12:00:00", queue=key) for key in ("exact", "late", "auto", "solved")],
        "messages": [
            answer("exact", "2024-01-17T12:00:00"),
            answer("late", "2024-01-17T12:00:00.000001"),
            answer("auto", "2024-01-16T12:00:01", "auto"),
            answer("solved", "2024-01-16T11:59:59"),  # before the opening
        ],
        "ticket_events": [event("solved", "2024-01-16T13:00:00", "closed")],
    }
    own_calendar(tmp_path)
    rows_of = {row["queue"]: row for row in marts(tmp_path, tables, "2024-02-01")["service_monthly"]}
    assert (rows_of["exact"]["first_response_met"], rows_of["exact"]["first_response_breached"]) == (1, 0)
    assert (rows_of["late"]["first_response_met"], rows_of["late"]["first_response_breached"]) == (0, 1)
    assert (rows_of["auto"]["first_response_breached"], rows_of["auto"]["first_response_answered"]) == (1, 0)
    assert (rows_of["solved"]["first_response_met"], rows_of["solved"]["median_first_response_minutes"]) == (1, 60)


def test_what_a_client_goes_through_with_a_ticket(tmp_path):
    tables = {
        "contracts": [contract("a", "2023-01-01")],
        # Tuesday 16 January; the same topic 30 days of 24 hours later, and a second too late.
        "tickets": [
            ticket("one", "2024-01-16T09:00:00", queue="one", topic="delivery"),
            ticket("two", "2024-02-15T09:00:00", queue="two", topic="delivery"),
            ticket("three", "2024-03-16T09:00:01", queue="three", topic="delivery"),
        ],
        "messages": [
            answer("one", "2024-01-16T10:00:00", "client"),
            answer("one", "2024-01-16T10:01:00", "auto"),
            answer("one", "2024-01-16T10:02:00", "client"),  # in a row: the automatic one is no answer
            answer("one", "2024-01-16T11:00:00"),
            answer("one", "2024-01-16T15:00:00", "client"),  # nobody answers it
        ],
        "ticket_events": [
            event("one", "2024-01-16T16:00:00", "solved"),
            event("one", "2024-01-17T10:00:00", "closed"),
            event("one", "2024-01-18T10:00:00", "reopened"),
            event("one", "2024-01-18T18:00:00", "solved"),
            *(
                event("two", f"2024-02-{day}T10:00:00", "promise_changed", value)
                for day, value in (("16", "1 May"), ("17", "1 May"), ("18", ""), ("19", ""), ("20", "1 May"))
            ),
        ],
    }
    own_calendar(tmp_path)
    of = {row["queue"]: row for row in marts(tmp_path, tables, "2024-04-01")["ticket_quality_monthly"]}
    assert {key: row["repeats_30d"] for key, row in of.items()} == {"one": 0, "two": 1, "three": 0}
    assert {key: row["in_a_row"] for key, row in of.items()} == {"one": 1, "two": 0, "three": 0}
    # The first promise is none, nor is its repetition: taken back on the 18th, given again on the 20th.
    assert (of["two"]["promise_changes"], of["two"]["promise_changed_tickets"]) == (2, 1)
    assert (of["one"]["reopened"], of["one"]["unanswered_7d"]) == (1, 1)
    # 09:00–11:00, 11:00–16:00 and, open again, 10:00–18:00.
    assert of["one"]["longest_silence_hours"] == 8


def test_the_satisfaction_index_weighs_the_parts_that_exist(tmp_path):
    given = [("operator_rating", "5"), ("operator_rating", "4"), ("review", "3"), ("praise", "1"), ("survey", "")]
    tables = {
        "contracts": [contract("a", "2023-01-01")],
        "feedback": [
            {"client_key": "a", "kind": kind, "score": score, "submitted_at": "2023-03-05T10:00:00"}
            for kind, score in given
        ],
    }
    (tmp_path / "seeds").mkdir()
    weights = "part,weight\noperator_rating,3\nreview,1\nsurvey,7\n"
    (tmp_path / "seeds" / "satisfaction_weights.csv").write_text(weights)
    march = one(marts(tmp_path, tables, "2023-04-01")["satisfaction_monthly"], month=date(2023, 3, 1), segment="all")
    # (3 x 4.5 + 1 x 3) / 4 = 4.125: the survey without a score is not there, and praise is no part.
    assert march["satisfaction_index"] == 4.125
    assert (march["operator_mean"], march["review_mean"], march["survey_mean"]) == (4.5, 3, None)
    assert (march["is_warning"], march["scored_n"], march["csat_n"]) == (True, 3, 2)


def test_people_met_in_ninety_days_are_known_ones_who_wrote_or_called(tmp_path):
    def contact(employee: str, occurred: str, direction: str = "outbound") -> dict[str, str]:
        return {
            "client_key": "a",
            "employee_key": employee,
            "direction": direction,
            "channel": "call",
            "purpose": "other",
            "occurred_at": occurred,
        }

    tables = {
        "contracts": [contract("a", "2023-01-01")],
        "employees": [{"employee_key": key} for key in ("first", "early", "caller", "writer", "machine")],
        # 30 June minus 89 days is 2 April: the first of the ninety.
        "contacts": [
            contact("first", "2023-04-02T00:00:00"),
            contact("early", "2023-04-01T23:59:59"),
            contact("caller", "2023-06-30T12:00:00", "inbound"),
            contact("stranger", "2023-06-30T12:00:00"),
        ],
        "tickets": [ticket("t", "2023-06-30T10:00:00")],
        "messages": [
            {**answer("t", "2023-06-30T11:00:00"), "employee_key": "writer"},
            {**answer("t", "2023-06-30T11:00:00", "auto"), "employee_key": "machine"},
        ],
    }
    june = one(marts(tmp_path, tables, "2023-07-01")["communication_monthly"], month=date(2023, 6, 1), segment="all")
    assert (june["clients"], june["people_met"], june["people_met_3plus"]) == (1, 2, 0)


def test_a_release_spares_a_contract_that_started_after_the_day_it_was_asked(tmp_path):
    tables = {
        "contracts": [
            contract("spared", "2023-01-01"),
            contract("spared", "2023-03-02"),
            contract("cut", "2023-01-01"),
            contract("cut", "2023-03-01"),
        ],
        "termination_requests": [
            released("spared", "2023-03-01", "2023-03-10"),
            released("cut", "2023-03-01", "2023-03-10"),
        ],
    }
    found = marts(tmp_path, tables, "2023-06-01")
    assert one(found["fct_spells"], client_id="spared")["ended_on"] is None
    assert one(found["dim_clients"], client_id="spared")["mrr"] == 100
    assert one(found["fct_spells"], client_id="cut")["ended_on"] == date(2023, 3, 10)


def test_a_new_contract_on_the_day_of_release_is_a_return_after_zero_days(tmp_path):
    tables = {
        "contracts": [contract("a", "2023-01-01"), contract("a", "2023-03-10")],
        "termination_requests": [released("a", "2023-03-10", "2023-03-10")],
    }
    release = one(marts(tmp_path, tables, "2023-06-01")["fct_releases"])
    assert (release["spell_number"], release["days_to_return"], release["is_censored"]) == (1, 0, False)


def test_a_prepaid_event_at_the_cut_instant_opens_a_new_cover_and_one_before_it_is_cut(tmp_path):
    tables = {
        "prepaid_events": [
            {"client_key": "at", "occurred_at": "2023-03-01T10:00:00"},
            {"client_key": "at", "occurred_at": "2023-03-10T12:00:00"},
            {"client_key": "before", "occurred_at": "2023-03-01T10:00:00"},
            {"client_key": "before", "occurred_at": "2023-03-10T11:59:59"},
        ],
        "termination_requests": [released(key, "2023-03-05", "2023-03-10") for key in ("at", "before")],
    }
    found = marts(tmp_path, tables, "2023-04-01")
    assert [row["ended_on"] for row in rows(found["fct_spells"], client_id="at")] == [date(2023, 3, 10), None]
    assert [row["ended_on"] for row in rows(found["fct_spells"], client_id="before")] == [date(2023, 3, 10)]


def test_a_request_in_the_grace_days_names_the_exit_and_one_a_day_later_does_not(tmp_path):
    tables = {
        "contracts": [contract(key, "2023-01-01", "2023-03-01") for key in ("day7", "day8")],
        "termination_requests": [
            released("day7", "2023-03-08", "2023-03-09"),
            released("day8", "2023-03-09", "2023-03-09"),
        ],
    }
    found = marts(tmp_path, tables, "2023-06-01")
    assert one(found["fct_spells"], client_id="day7")["exit_type"] == "released"
    assert one(found["fct_spells"], client_id="day8")["exit_type"] == "lapsed"


def test_dismissal_on_the_start_day_is_no_exit_and_closing_dissolves(tmp_path):
    tables = {
        "clients": [{"client_key": "start"}, {"client_key": "closed", "closed_at": "2023-03-01T23:30:00"}],
        "contracts": [contract("start", "2023-03-01", "2023-04-01"), contract("closed", "2023-01-01")],
        "dismissals": [{"client_key": "start", "dismissed_at": "2023-03-01T15:00:00"}],
    }
    found = marts(tmp_path, tables, "2023-06-01")
    assert one(found["fct_spells"], client_id="start")["exit_type"] == "lapsed"
    closed = one(found["fct_spells"], client_id="closed")
    assert (closed["ended_on"], closed["exit_type"], closed["is_regretted"]) == (date(2023, 3, 1), "dissolved", True)


def test_non_payment_is_payment_failure_unless_a_prepaid_cover_ends_the_same_day(tmp_path):
    ending = {"end_reason": "non_payment"}
    tables = {
        "contracts": [
            contract("plain", "2023-01-01", "2023-04-01", **ending),
            contract("mixed", "2023-01-01", "2023-04-01", **ending),
        ],
        "prepaid_events": [{"client_key": "mixed", "occurred_at": "2023-01-01T10:00:00"}],
    }
    found = marts(tmp_path, tables, "2023-06-01")
    assert one(found["fct_spells"], client_id="plain")["exit_type"] == "payment_failure"
    assert one(found["fct_spells"], client_id="mixed")["exit_type"] == "lapsed"


def test_a_refund_in_two_windows_belongs_to_the_later_release_and_refused_beats_paid(tmp_path):
    tables = {
        "contracts": [contract("a", "2023-01-01"), contract("a", "2023-03-15")],
        "termination_requests": [
            released("a", "2023-03-10", "2023-03-10"),
            released("a", "2023-03-25", "2023-03-25"),
        ],
        "refunds": [
            {"client_key": "a", "requested_at": "2023-03-11T10:00:00", "amount": "5", "decision": "paid"},
            {
                "client_key": "a",
                "requested_at": "2023-03-25T23:00:00",
                "amount": "5",
                "decision": "refused",
                "decided_at": "2023-04-01T10:00:00",
            },
            {"client_key": "a", "requested_at": "2023-03-26T10:00:00", "amount": "5", "decision": "paid"},
        ],
    }
    found = marts(tmp_path, tables, "2023-06-01")
    assert [(row["refund_decision"], row["handling"]) for row in found["fct_releases"]] == [
        ("paid", "free"),
        ("refused", "obstructed"),
    ]
    early = marts(tmp_path, tables, "2023-04-01")
    assert [row["refund_decision"] for row in early["fct_releases"]] == ["paid", "paid"]


def test_money_is_rounded_once_half_away_from_zero_at_the_rate_of_its_own_day(tmp_path):
    # 100.02 / 12 = 8.335, which binary floating point cannot hold.
    rates = [Rate("USD", date(2023, 1, 1), Decimal("70")), Rate("USD", date(2023, 3, 1), Decimal("80.5"))]
    tables = {
        "contracts": [
            contract("year", "2023-01-01", price="100.02", billing_period="year"),
            contract("week", "2023-01-01", price="10", billing_period="week"),
            contract("early", "2022-06-01", price="1", currency="USD"),
            contract("late", "2023-03-01", price="1.01", currency="USD"),
        ],
        "refunds": [
            {"client_key": "late", "requested_at": "2023-02-01T10:00:00", "amount": "1", "currency": "USD"},
            {
                "client_key": "late",
                "requested_at": "2023-02-01T10:00:00",
                "amount": "1",
                "currency": "USD",
                "decision": "paid",
            },
        ],
        "payments": [{"client_key": "late", "paid_at": "2023-03-02T00:10:00", "amount": "2", "currency": "USD"}],
    }
    found = marts(tmp_path, tables, "2023-06-01", rates=rates)
    assert {row["client_id"]: row["mrr"] for row in found["dim_clients"]} == {
        "year": Decimal("8.34"),
        "week": Decimal("43.33"),
        "early": Decimal("70.00"),
        "late": Decimal("81.31"),
    }
    assert one(found["dim_clients"], client_id="late")["lifetime_revenue"] == Decimal("91.00")
    assert round_money(Fraction(-1, 200)) == Decimal("-0.01")


def test_twelve_month_figures_are_empty_until_the_edge_lies_in_history(tmp_path):
    tables = {"contracts": [contract("a", "2022-01-31", "2023-01-31"), contract("b", "2022-02-01")]}
    found = marts(tmp_path, tables, "2023-03-01")
    trailing = {
        row["month"].strftime("%Y-%m"): (row["opening_12m"], row["churned_12m"], row["is_final"])
        for row in rows(found["churn_monthly"], segment="all")
    }
    assert trailing["2022-12"] == (None, None, True)
    assert trailing["2023-01"] == (1, 1, True)
    # 28 February + 7 days is not before 1 March.
    assert trailing["2023-02"] == (2, 1, False)


def test_a_company_level_called_all_is_unknown_and_a_foreign_key_stays_a_client(tmp_path):
    tables = {
        "clients": [{"client_key": "a", "segment": "all"}, {"client_key": "b", "segment": "retail"}],
        "client_links": [{"source": "billing", "source_key": "a", "client_key": "b"}],
        "contracts": [contract("a", "2023-01-01"), contract("stranger", "2023-01-01")],
    }
    found = marts(tmp_path, tables, "2023-03-01")
    assert {row["client_id"]: (row["segment"], row["status"]) for row in found["dim_clients"]} == {
        "a": ("unknown", "never_active"),
        "b": ("retail", "active"),
        "stranger": ("unknown", "active"),
    }
    assert {row["segment"] for row in found["churn_monthly"]} == {"unknown", "retail", "all"}


def test_an_invalid_newer_version_is_put_aside_and_the_last_valid_one_stays(tmp_path):
    key = {"contract_key": "k"}
    tables = {
        "contracts": [
            contract("a", "2023-01-01", price="200", updated_at="2023-02-01T10:00:00", **key),
            contract("a", "2023-01-01", price="100", updated_at="2023-01-01T10:00:00", **key),
            contract("a", "2023-01-01", price="-1", updated_at="2023-03-01T10:00:00", **key),
            contract("a", "2023-01-01", price="300", **key),
        ]
    }
    found = marts(tmp_path, tables, "2023-06-01")
    assert one(found["dim_clients"])["mrr"] == 200
    assert found["quarantine"] == [{"entity": "contracts", "rule": "negative_price", "rows": 1}]


def test_first_100_days_waits_until_the_whole_month_is_mature(tmp_path):
    tables = {"contracts": [contract("a", "2023-01-01", "2023-04-10"), contract("b", "2023-01-31", "2023-05-11")]}
    # a: 99 days; b: 100 days. 31 January + 100 = 11 May.
    before = one(marts(tmp_path, tables, "2023-05-10")["first_100_days"], month=date(2023, 1, 1), segment="all")
    after = one(marts(tmp_path, tables, "2023-05-11")["first_100_days"], month=date(2023, 1, 1), segment="all")
    assert (before["started"], before["churned_within_100"], before["is_mature"]) == (2, None, False)
    assert (after["started"], after["churned_within_100"], after["is_mature"]) == (2, 1, True)


def test_wilson_interval_agrees_with_the_textbook_value():
    # 5 of 10: centre 0.5, half width 0.263408 (Wilson 1927).
    low, high = wilson(5, 10)
    assert (low, high) == (pytest.approx(0.236593, abs=1e-6), pytest.approx(0.763407, abs=1e-6))
