"""Harm prevented: marts that depend on how the data came, or that are not what the company lived through.

The same living company is read in three ways: by eleven incremental extractions over a month, by one from nothing, and
as a folder of canonical files. Every mart must come out the same, and equal what was planted.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from retention import pipeline
from retention.settings import Settings, load_settings
from tests.demo import planted as planted_tables
from tests.running_company import SOURCES, Company, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

# When and from where rows came is the subject of this mart; only what ended up in the warehouse can be the same.
HEALTH = "pipeline_health"
PLANTED = {
    "spells": ("fct_spells", ["client_id", "spell_number", "started_on", "ended_on", "exit_type"]),
    "releases": (
        "fct_releases",
        [
            *("client_id", "spell_number", "released_on", "handling", "days_to_release", "refund_decision"),
            *("returned_on", "days_to_return"),
        ],
    ),
    "churn_monthly": (
        "churn_monthly",
        [
            *("month", "segment", "opening_clients", "new_clients", "returned_clients", "churned_clients"),
            *("closing_clients", "regretted_churned_clients", "released", "lapsed", "payment_failure", "dismissed"),
            *("dissolved", "joined_and_left", "opening_12m", "churned_12m", "regretted_churned_12m"),
        ],
    ),
    "mrr_monthly": (
        "mrr_monthly",
        [
            *("month", "segment", "opening_mrr", "new_mrr", "returned_mrr", "expansion_mrr", "contraction_mrr"),
            *("churned_mrr", "closing_mrr", "mrr_12m_ago", "retained_mrr_12m", "mrr_now_of_12m_ago"),
        ],
    ),
    "retention_cohorts": (
        "retention_cohorts",
        [
            *("cohort_month", "segment", "month_number", "cohort_size", "active_clients", "unbroken_clients"),
            *("cohort_mrr", "month0_mrr"),
        ],
    ),
}


def quiet(_: str) -> None:
    """Progress of a run that nobody watches."""


def marts(settings: Settings, *, without: tuple[str, ...] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of every published mart, sorted."""
    with closing(duckdb.connect(str(settings.published_file), read_only=True)) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts'"
            ).fetchall()
        ]
        return {
            name: connection.execute(f"select * from marts.{name} order by all").fetchall()
            for name in names
            if name not in without
        }


def rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with closing(duckdb.connect(str(settings.published_file), read_only=True)) as connection:
        return connection.execute(sql).fetchall()


def assert_same(found: dict[str, list[tuple[Any, ...]]], expected: dict[str, list[tuple[Any, ...]]]) -> None:
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        missing = [row for row in wanted if row not in set(found[name])][:5]
        extra = [row for row in found[name] if row not in set(wanted)][:5]
        assert found[name] == wanted, f"{name}: missing {missing}, not expected {extra}"


@pytest.fixture(scope="module")
def company(postgres_server, tmp_path_factory) -> Iterator[Company]:
    with running(postgres_server, tmp_path_factory.mktemp("invariants"), clients=150, rate=200, burst=50) as company:
        yield company


@pytest.fixture(scope="module")
def incremental(company: Company) -> Settings:
    """The company's home after a first build, ten times three days, and the nightly reconciliation."""
    pipeline.run(company.settings, quiet)
    for _ in range(10):
        company.demo("advance", "--days", "3")
        pipeline.extract(company.settings, SOURCES, quiet)
    pipeline.reconcile(company.settings, SOURCES, quiet)
    assert pipeline.run(company.settings, quiet).is_new
    return company.settings


def test_the_marts_are_what_was_planted_to_the_last_count(incremental: Settings) -> None:
    truth = json.loads((incremental.demo / "truth.json").read_text(encoding="utf-8"))
    assert truth["as_of"] == str(incremental.as_of)
    for planted, (mart, columns) in PLANTED.items():
        expected = sorted(tuple(str(row[column]) for column in columns) for row in truth[planted])
        found = rows(incremental, f"select {', '.join(columns)} from marts.{mart}")
        assert len(expected) > 10, planted
        # Months of segments without any client are zeros in the mart and absent from the truth.
        if planted == "retention_cohorts":
            sizes = {row for row in found if row[columns.index("cohort_size")] > 0}
            expected = [row for row in expected if row[columns.index("cohort_size")] != "0"]
            found = list(sizes)
        assert sorted(tuple(str(value) for value in row) for row in found) == expected, planted
    returns = {
        (row["window_days"], row["handling"]): (row["mature_releases"], row["returned"]) for row in truth["returns"]
    }
    summary = rows(
        incremental,
        "select window_days, level, mature_releases, returned from marts.return_summary "
        "where dimension in ('all', 'handling')",
    )
    assert {(window, level): (mature, returned) for window, level, mature, returned in summary} == {
        key: counts for key, counts in returns.items() if counts[0]
    }
    starts = rows(
        incremental,
        "select cast(month as varchar), segment, started, churned_within_100 from marts.first_100_days where is_mature",
    )
    planted_starts = {
        (row["month"], row["segment"]): (row["started"], row["churned"]) for row in truth["first_100_days"]
    }
    assert sum(started for *_, started, _ in starts) > 100
    for month, segment, started, churned in starts:
        assert (started, churned) == planted_starts.get((month, segment), (0, 0)), (month, segment)


@pytest.mark.parametrize("planted", planted_tables.PLANTED, ids=lambda planted: planted.table)
def test_the_marts_of_serving_and_leaving_are_what_was_planted(incremental: Settings, planted) -> None:
    truth = json.loads((incremental.demo / "truth.json").read_text(encoding="utf-8"))
    assert truth[planted.table]
    with closing(duckdb.connect(str(incremental.published_file), read_only=True)) as connection:
        found = planted_tables.differences(truth, connection, planted)
    assert not found, "\n".join([f"{len(found)} rows differ", *found[:20]])


def test_the_bridge_closes_in_clients_and_money_over_the_whole_history(incremental: Settings) -> None:
    [(months,)] = rows(incremental, "select count(distinct month) from marts.mrr_monthly")
    assert months >= 48
    assert rows(incremental, "select sum(closing_mrr) > 0 from marts.mrr_monthly") == [(True,)]
    for mart, gained, lost, unit in (
        ("churn_monthly", ["new", "returned"], ["churned"], "clients"),
        ("mrr_monthly", ["new", "returned", "expansion"], ["contraction", "churned"], "mrr"),
    ):
        plus = " + ".join(f"{name}_{unit}" for name in ["opening", *gained])
        minus = " - ".join(f"{name}_{unit}" for name in lost)
        assert (
            rows(incremental, f"select month, segment from marts.{mart} where {plus} - {minus} <> closing_{unit}") == []
        )
        assert (
            rows(
                incremental,
                f"select this.month from marts.{mart} as this join marts.{mart} as next on next.segment = this.segment "
                f"and next.month = this.month + interval 1 month where next.opening_{unit} <> this.closing_{unit}",
            )
            == []
        )


def test_ten_incremental_runs_give_the_marts_of_one_from_nothing(
    company: Company, incremental: Settings, tmp_path: Path
) -> None:
    fresh = company.settings_of(tmp_path / "fresh")
    pipeline.run(fresh, quiet)
    assert_same(marts(incremental, without=(HEALTH,)), marts(fresh, without=(HEALTH,)))
    counts = "select source, entity, rows_in_warehouse, unmatched_keys from marts.pipeline_health order by all"
    assert rows(incremental, counts) == rows(fresh, counts)


def test_the_same_facts_as_files_give_the_same_marts(company: Company, incremental: Settings, tmp_path: Path) -> None:
    company.demo("export", str(tmp_path / "export"))
    files = load_settings(tmp_path / "files", sources=["files"], files_dir=tmp_path / "export", as_of=company.as_of)
    pipeline.run(files, quiet)
    assert_same(marts(files, without=(HEALTH,)), marts(incremental, without=(HEALTH,)))
    # Each entity comes from one system: what a mapping file leaves out (the help-desk's ratings) is no row of its own.
    counts = "select entity, rows_in_warehouse from marts.pipeline_health order by all"
    assert rows(files, counts) == rows(incremental, counts)


def test_the_comparison_notices_one_changed_value() -> None:
    mart = {"mart": [("a", Decimal("1.00")), ("b", Decimal("2.00"))]}
    with pytest.raises(AssertionError, match="mart: missing"):
        assert_same({"mart": [("a", Decimal("1.00")), ("b", Decimal("2.01"))]}, mart)
