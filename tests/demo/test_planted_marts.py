"""Harm prevented: marts that count something else than what the company lived through, mission row by mission row.

A small company is exported as canonical files, built and published; what it published is held to the planted truth.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from demo import export, truth
from demo import plan as plans
from demo.model import to_date
from retention import pipeline
from retention.settings import load_settings
from tests.demo.planted import PLANTED, Planted, differences

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

AS_OF = date(2026, 2, 11)
"""Inside a month, with calls, refunds and promises under way."""


def quiet(_: str) -> None:
    """Progress of a run that nobody watches."""


Company = tuple[dict[str, Any], duckdb.DuckDBPyConnection, plans.Plan]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The truth of a company of 150 clients, its published marts, and its plan."""
    home: Path = tmp_path_factory.mktemp("planted")
    plan = plans.build(seed=7, clients=150)
    export.write(plan, AS_OF, home / "files")
    settings = load_settings(home, sources=["files"], files_dir=home / "files", as_of=AS_OF)
    pipeline.run(settings, quiet)
    with closing(duckdb.connect(str(settings.published_file), read_only=True)) as marts:
        yield truth.tell(plan, AS_OF), marts, plan


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.table)
def test_a_mart_shows_what_was_planted_to_the_last_count(company, planted: Planted):
    told, marts, _ = company
    assert told[planted.table], "nothing was planted"
    found = differences(told, marts, planted)
    assert not found, "\n".join([f"{len(found)} rows differ", *found[:20]])


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.table)
def test_a_truth_that_is_off_by_one_is_noticed(company, planted: Planted):
    told, marts, _ = company
    rows = [dict(row) for row in told[planted.table] if row.get("month", "9") >= told["history_starts_on"]]
    counts = [column for column, value in rows[0].items() if column not in planted.key and isinstance(value, int)]
    rows[0][counts[0]] = not rows[0][counts[0]] if isinstance(rows[0][counts[0]], bool) else rows[0][counts[0]] + 1
    assert len(differences({**told, planted.table: rows}, marts, planted)) == 1


def test_each_reason_has_the_owner_and_the_dates_of_its_fix(company):
    told, marts, _ = company
    planted = {row["reason_code"]: tuple(map(str, row.values()))[1:] for row in told["reason_fixes"]}
    shown = marts.execute(
        "select distinct reason_code, owner_department, planned_on, fixed_on, is_overdue from marts.exit_reasons"
    ).fetchall()
    assert {row[-1] for row in shown} == {True, False}
    for reason, *fix in shown:
        if reason in planted:
            assert tuple(map(str, fix)) == planted[reason], reason
        else:
            assert fix[1:] == [None, None, False], reason
    assert planted.keys() & {reason for reason, *_ in shown}


def test_contracts_in_dollars_and_euros_move_revenue_only_when_a_contract_begins_or_ends(company):
    told, marts, plan = company
    foreign = {
        lived.client.fact.key: money
        for lived, money in zip(plan.lives, plan.money, strict=True)
        if lived.client.currency != "RUB" and lived.spells
    }
    moved = marts.execute(
        "select client_id, month from marts.fct_client_months where movement in ('expansion', 'contraction')"
    ).fetchall()
    of_foreign = [(client, month) for client, month in moved if client in foreign]
    assert of_foreign
    for client, month in of_foreign:
        edges = {
            to_date(when - is_end).replace(day=1)
            for carried in foreign[client]
            for contract in carried.contracts
            for is_end, when in enumerate(contract.versions[-1][1][6:8])
            if when is not None
        }
        assert month in edges, f"client {client} moved in {month} without a contract that begins or ends"
    columns = ("month", "segment", "opening_mrr", "new_mrr", "expansion_mrr", "contraction_mrr", "closing_mrr")
    shown = marts.execute(f"select {', '.join(columns)} from marts.mrr_monthly").fetchall()
    planted = sorted(tuple(row[column] for column in columns) for row in told["mrr_monthly"])
    assert sorted(tuple(map(str, row)) for row in shown) == planted


def test_every_truth_of_the_company_is_planted_at_least_once(company):
    told, _, _ = company
    for table, columns in {
        "ticket_quality": ("promise_changes", "reopened"),
        "feedback": ("answered_in_time", "unanswered", "negative_public_unanswered", "ignored"),
        "communication": ("manager_changes", "upsell_contacts", "unsubscribed"),
        "handover": ("without_contact_14d", "welcome_due", "welcome_done"),
        "interview_response": ("invited", "answered"),
        "loop": ("leavers", "told", "invited"),
        "exit_precedents": ("with_fee", "with_price_rise", "with_dispute", "with_refusal", "with_upsell"),
        "win_back": ("contacted", "uncontacted"),
        "win_back_clients": ("is_to_invite",),
    }.items():
        for column in columns:
            assert sum(row[column] or 0 for row in told[table]) > 0, f"{table}.{column}"
