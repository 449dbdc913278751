"""The worked cases of the metric definitions, on the marts that a real run publishes.

The harm they prevent: a definition drifts by a day at a boundary and every rate on the dashboards is quietly wrong.
Each case is a few clients in a segment of its own, so that one build serves all of them; expected values are by hand.
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from retention.cli import app

AS_OF = date(2024, 2, 20)

# segment → client → (started_on, ended_on, end_reason, price)
CONTRACTS: dict[str, dict[str, list[tuple[str, str, str, str]]]] = {
    "mature-window": {
        "mature-back": [("2023-01-01", "2023-10-01", "request", "100"), ("2023-11-01", "", "", "100")],
        "mature-gone": [("2023-01-01", "2023-11-01", "request", "100")],
        "young-gone": [("2023-01-01", "2024-01-01", "request", "100")],
        "young-back": [("2023-01-01", "2024-01-05", "request", "100"), ("2024-01-20", "", "", "100")],
    },
    "same-month-return": {"same": [("2023-01-01", "2023-05-10", "request", "100"), ("2023-05-25", "", "", "150")]},
    "leave-return-leave": {
        "leaver": [("2023-01-01", "2023-03-10", "request", "100"), ("2023-05-05", "2023-08-20", "request", "100")]
    },
    "two-contracts": {
        "two": [("2023-01-01", "2023-04-15", "request", "100"), ("2023-01-01", "2023-06-15", "request", "50")]
    },
    "returned-is-not-expansion": {
        "back": [("2023-01-01", "2023-03-10", "expired", "100"), ("2023-05-10", "", "", "100")]
    },
    "zero-price": {"free": [("2023-01-01", "2023-03-01", "expired", "100"), ("2023-03-01", "", "", "0")]},
    "grace": {
        "seven": [("2023-01-01", "2023-03-10", "", "100"), ("2023-03-17", "", "", "100")],
        "eight": [("2023-01-01", "2023-03-10", "", "100"), ("2023-03-18", "", "", "100")],
        "released-between": [("2023-01-01", "2023-03-10", "", "100"), ("2023-03-15", "", "", "100")],
    },
    "dismissed-and-asked": {"both": [("2023-01-01", "", "", "100")]},
    "KM-ties": {
        "event-5": [("2023-01-01", "", "", "100"), ("2023-06-06", "", "", "100")],
        "censored-5": [("2023-01-01", "2024-02-14", "request", "100")],
        "event-10": [("2023-01-01", "2023-07-01", "request", "100"), ("2023-07-11", "", "", "100")],
    },
    "future-contract": {"future": [("2024-02-20", "", "", "100")]},
    "first-of-month": {"first": [("2023-05-01", "2023-06-01", "", "100")]},
    "late-paperwork": {"late": [("2023-01-01", "2023-05-10", "", "100"), ("2023-05-25", "", "", "100")]},
    "prepaid-lapse": {"prepaid": []},
    "quiet-prepaid-month": {"quiet": []},
    "service": {"asker": [("2023-01-01", "", "", "100")]},
}
PREPAID = [
    ("prepaid", "top_up", "500", "2023-03-01T12:00:00"),
    ("quiet", "usage", "50", "2023-03-10T12:00:00"),
    ("quiet", "usage", "70", "2023-05-05T12:00:00"),
]
REQUESTS = [
    ("released-between", "2023-03-05T10:00:00", "2023-03-12T10:00:00"),
    ("both", "2023-04-01T10:00:00", "2023-04-05T10:00:00"),
    ("event-5", "2023-05-30T10:00:00", "2023-06-01T10:00:00"),
    ("late", "2023-05-01T10:00:00", "2023-05-28T10:00:00"),
]
DISMISSALS = [("both", "2023-04-05T09:00:00", "abuse")]
# queue → (opened_at, answered_at), on the company's clock. Monday 6 November 2023 was a day off in Russia.
TICKETS = {
    "friday-evening": ("2024-02-02T17:30:00", "2024-02-05T09:30:00"),
    "friday-before-a-holiday": ("2023-11-03T17:30:00", "2023-11-07T09:30:00"),
    "overdue-open": ("2024-02-15T10:00:00", ""),
    "just-opened": ("2024-02-19T17:00:00", ""),
}
# A zone whose clocks change on the Sundays of 29 October 2023 and 31 March 2024.
ZONE_WITH_CHANGES = "Europe/Berlin"
TICKETS_OVER_A_CHANGE = {
    "into-winter": ("2023-10-27T17:30:00", "2023-10-30T09:30:00"),
    "into-summer": ("2024-03-29T17:30:00", "2024-04-01T09:30:00"),
}

Query = Callable[..., list[tuple[Any, ...]]]


def write(path: Path, header: str, rows: list[tuple[Any, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)


@pytest.fixture(scope="module")
def query(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Query]:
    """SQL over the published marts of the company that is made of all worked cases."""
    folder = tmp_path_factory.mktemp("worked_cases")
    clients = [(client, segment) for segment, members in CONTRACTS.items() for client in members]
    write(
        folder / "clients.csv",
        "client_key,name,segment,registered_at",
        [(client, client, segment, "2022-12-01") for client, segment in clients],
    )
    write(
        folder / "contracts.csv",
        "contract_key,client_key,plan,price,billing_period,started_on,ended_on,end_reason,is_trial",
        [
            (f"{client}-{number}", client, "basic", price, "month", started_on, ended_on, end_reason, "false")
            for members in CONTRACTS.values()
            for client, contracts in members.items()
            for number, (started_on, ended_on, end_reason, price) in enumerate(contracts)
        ],
    )
    write(
        folder / "prepaid_events.csv",
        "event_key,client_key,kind,amount,occurred_at",
        [(number, *event) for number, event in enumerate(PREPAID)],
    )
    write(
        folder / "termination_requests.csv",
        "request_key,client_key,requested_at,outcome,completed_at,bonus_offered",
        [(client, client, asked, "released", completed, "false") for client, asked, completed in REQUESTS],
    )
    write(folder / "dismissals.csv", "client_key,dismissed_at,reason", list(DISMISSALS))
    write_tickets(folder, "asker", TICKETS)
    with published(folder, AS_OF, "--set", "min_at_risk=1") as run:
        yield run


@pytest.fixture(scope="module")
def query_over_a_change(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Query]:
    """SQL over the marts of a company in a zone with changes of clocks."""
    folder = tmp_path_factory.mktemp("clock_change")
    write(folder / "clients.csv", "client_key,name,registered_at", [("asker", "asker", "2023-01-01")])
    write(
        folder / "contracts.csv",
        "contract_key,client_key,plan,price,billing_period,started_on,is_trial",
        [("1", "asker", "basic", "100", "month", "2023-01-01", "false")],
    )
    write_tickets(folder, "asker", TICKETS_OVER_A_CHANGE)
    with published(folder, date(2024, 5, 1), "--set", f"company_timezone={ZONE_WITH_CHANGES}") as run:
        yield run


def write_tickets(folder: Path, client: str, tickets: dict[str, tuple[str, str]]) -> None:
    """One ticket per queue, opened by the client; the empty answer is none yet."""
    write(
        folder / "tickets.csv",
        "ticket_key,client_key,queue,sla_class,opened_at,opened_by",
        [(queue, client, queue, "ours", opened_at, "client") for queue, (opened_at, _) in tickets.items()],
    )
    write(
        folder / "messages.csv",
        "message_key,ticket_key,author,sent_at",
        [(queue, queue, "employee", answered_at) for queue, (_, answered_at) in tickets.items() if answered_at],
    )


@contextmanager
def published(folder: Path, as_of: date, *options: str) -> Iterator[Query]:
    """SQL over what a real run publishes of a folder."""
    home = folder / "home"
    result = CliRunner().invoke(
        app, ["run", "--files", str(folder), "--as-of", as_of.isoformat(), "--home", str(home), *options]
    )
    assert result.exit_code == 0, result.output
    connection = duckdb.connect(str(home / "published" / "retention.duckdb"), read_only=True)

    def run(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return connection.execute(sql, parameters).fetchall()

    yield run
    connection.close()


def movements(query: Query, client: str) -> dict[str, str]:
    """Month 'YYYY-MM' → movement of one client."""
    rows = query("select month, movement from marts.fct_client_months where client_id = ? order by month", client)
    return {f"{month:%Y-%m}": movement for month, movement in rows}


def spells(query: Query, client: str) -> list[tuple[date, date | None, str | None]]:
    return query(
        "select started_on, ended_on, exit_type from marts.fct_spells where client_id = ? order by spell_number", client
    )


def mature_window(query: Query) -> None:
    summary = {
        window: (mature, returned, rate)
        for window, mature, returned, rate in query(
            "select window_days, mature_releases, returned, return_rate from marts.return_summary "
            "where dimension = 'segment' and level = 'mature-window'"
        )
    }
    assert summary[90] == (2, 1, 0.5)
    assert summary[30][0] == 4
    january = query(
        "select window_days, releases, mature_releases, is_mature from marts.return_rates "
        "where month = '2024-01-01' and segment = 'mature-window' and handling = 'all' and window_days in (30, 90) "
        "order by 1"
    )
    assert january == [(30, 2, 2, False), (90, 2, 0, False)]


def same_month_return(query: Query) -> None:
    assert query(
        "select is_churned, movement, opening_mrr, closing_mrr from marts.fct_client_months "
        "where client_id = 'same' and month = '2023-05-01'"
    ) == [(False, "expansion", Decimal("100.00"), Decimal("150.00"))]
    assert query("select released_on, days_to_return from marts.fct_releases where client_id = 'same'") == [
        (date(2023, 5, 10), 15)
    ]


def leave_return_leave(query: Query) -> None:
    assert query(
        "select days_to_return, is_censored from marts.fct_releases where client_id = 'leaver' order by spell_number"
    ) == [
        (56, False),
        (None, True),
    ]
    cells = query(
        "select active_clients, unbroken_clients from marts.retention_cohorts "
        "where segment = 'leave-return-leave' and cohort_month = '2023-01-01' order by month_number"
    )
    assert [active for active, _ in cells[:8]] == [1, 1, 0, 0, 1, 1, 1, 0]
    assert [unbroken for _, unbroken in cells[:8]] == [1, 1, 0, 0, 0, 0, 0, 0]


def two_contracts(query: Query) -> None:
    found = movements(query, "two")
    assert (found["2023-04"], found["2023-06"]) == ("contraction", "churned")
    assert len(query("select 1 from marts.fct_releases where client_id = 'two'")) == 1


def returned_is_not_expansion(query: Query) -> None:
    found = movements(query, "back")
    assert (found["2023-01"], found["2023-03"], found["2023-05"]) == ("new", "churned", "returned")
    assert "expansion" not in found.values()
    assert query(
        "select returned_mrr, new_mrr, expansion_mrr from marts.mrr_monthly "
        "where segment = 'returned-is-not-expansion' and month = '2023-05-01'"
    ) == [(Decimal("100.00"), Decimal("0.00"), Decimal("0.00"))]


def zero_price(query: Query) -> None:
    assert spells(query, "free") == [(date(2023, 1, 1), date(2023, 3, 1), "lapsed")]


def grace(query: Query) -> None:
    assert spells(query, "seven") == [(date(2023, 1, 1), None, None)]
    assert [spell[:2] for spell in spells(query, "eight")] == [
        (date(2023, 1, 1), date(2023, 3, 10)),
        (date(2023, 3, 18), None),
    ]
    assert spells(query, "released-between") == [
        (date(2023, 1, 1), date(2023, 3, 10), "released"),
        (date(2023, 3, 15), None, None),
    ]


def prepaid_lapse(query: Query) -> None:
    assert spells(query, "prepaid") == [(date(2023, 3, 1), date(2023, 5, 30), "lapsed")]


def dismissed_and_asked(query: Query) -> None:
    assert spells(query, "both") == [(date(2023, 1, 1), date(2023, 4, 5), "dismissed")]
    assert query("select * from marts.fct_releases where client_id = 'both'") == []


def km_ties(query: Query) -> None:
    curve = {
        day: (at_risk, returned, cumulative)
        for day, at_risk, returned, cumulative in query(
            "select day, at_risk, returned, cumulative_return from marts.return_curve "
            "where dimension = 'segment' and level = 'KM-ties'"
        )
    }
    assert curve[5] == (3, 1, pytest.approx(1 / 3))
    assert curve[10] == (1, 1, 1.0)
    assert curve[4] == (3, 0, 0.0)
    assert max(curve) == 10


def future_contract(query: Query) -> None:
    assert query("select status, spells, mrr from marts.dim_clients where client_id = 'future'") == [
        ("never_active", 0, Decimal("0.00"))
    ]
    assert spells(query, "future") == []


def bridge(query: Query) -> None:
    """On these companies; the demo's whole history is held to the same in the end-to-end tests."""
    assert query("select count(*) > 100 from marts.mrr_monthly") == [(True,)]
    assert (
        query(
            "select * from marts.churn_monthly "
            "where opening_clients + new_clients + returned_clients - churned_clients <> closing_clients"
        )
        == []
    )
    assert (
        query(
            "select * from marts.mrr_monthly where opening_mrr + new_mrr + returned_mrr + expansion_mrr "
            "- contraction_mrr - churned_mrr <> closing_mrr"
        )
        == []
    )
    assert (
        query(
            "select this.month from marts.mrr_monthly as this join marts.mrr_monthly as next "
            "on next.segment = this.segment and next.month = this.month + interval 1 month "
            "where next.opening_mrr <> this.closing_mrr"
        )
        == []
    )


def quiet_prepaid_month(query: Query) -> None:
    found = movements(query, "quiet")
    assert [found[month] for month in ("2023-03", "2023-04", "2023-05")] == ["new", "contraction", "expansion"]
    assert query(
        "select closing_mrr from marts.fct_client_months where client_id = 'quiet' and month <= '2023-05-01' "
        "order by month"
    ) == [(Decimal("50.00"),), (Decimal("0.00"),), (Decimal("70.00"),)]
    assert "returned" not in found.values()


def first_of_month(query: Query) -> None:
    assert query(
        "select month, movement, closing_mrr from marts.fct_client_months where client_id = 'first' order by month"
    ) == [(date(2023, 5, 1), "new", Decimal("100.00")), (date(2023, 6, 1), "churned", Decimal("0.00"))]


def late_paperwork(query: Query) -> None:
    assert spells(query, "late") == [
        (date(2023, 1, 1), date(2023, 5, 10), "released"),
        (date(2023, 5, 25), None, None),
    ]
    assert query("select days_to_return, days_to_release from marts.fct_releases where client_id = 'late'") == [
        (15, 27)
    ]


def first_responses(query: Query) -> dict[str, float | None]:
    """Queue → business minutes to the first answer."""
    return dict(query("select queue, median_first_response_minutes from marts.service_monthly"))


def friday_evening(query: Query) -> None:
    found = first_responses(query)
    assert (found["friday-evening"], found["friday-before-a-holiday"]) == (60, 60)


def overdue_open(query: Query) -> None:
    states = "select resolution_met, resolution_breached, first_response_met, first_response_breached, is_final "
    assert query(states + "from marts.service_monthly where queue = 'overdue-open'") == [(0, 1, 0, 1, False)]
    assert query(states + "from marts.service_monthly where queue = 'just-opened'") == [(0, 0, 0, 0, False)]


CASES: dict[str, Callable[[Query], None]] = {
    "mature-window": mature_window,
    "same-month-return": same_month_return,
    "leave-return-leave": leave_return_leave,
    "two-contracts": two_contracts,
    "returned-is-not-expansion": returned_is_not_expansion,
    "zero-price": zero_price,
    "grace": grace,
    "prepaid-lapse": prepaid_lapse,
    "dismissed-and-asked": dismissed_and_asked,
    "KM-ties": km_ties,
    "future-contract": future_contract,
    "bridge": bridge,
    "quiet-prepaid-month": quiet_prepaid_month,
    "first-of-month": first_of_month,
    "late-paperwork": late_paperwork,
    "friday-evening": friday_evening,
    "overdue-open": overdue_open,
}


@pytest.mark.parametrize("case", CASES)
def test_worked_case(case: str, query: Query) -> None:
    CASES[case](query)


@pytest.mark.parametrize("case", ["dst"])
def test_worked_case_in_a_zone_with_changes_of_clocks(case: str, query_over_a_change: Query) -> None:
    assert first_responses(query_over_a_change) == {"into-winter": 60, "into-summer": 60}
