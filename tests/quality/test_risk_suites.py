"""Harm prevented: a wrong figure about who leaves, published because the expectation against it never could fail."""

from pathlib import Path

import duckdb
import pytest
import yaml

from retention.quality import Suite, load_suites, run_suites
from retention.settings import PROJECT_ROOT

SOUND = {
    "churn_drivers": """
        select *, date '2024-07-01' as as_of
        from (values
            ('complaints', '0', '0', 1, 0, 0.0, 1.0, null::double, null::double, true),
            ('complaints', '1+', '0', 1, 1, 1.0, null, null, null, true)
        ) as rows
            (signal, level, reference_level, exposures, churned, churn_rate, relative_risk, ci_low, ci_high, is_small)
    """,
    "at_risk_clients": """
        select *, 'retail' as segment, '' as missing_signals, 100.00 as mrr, date '2024-07-01' as as_of
        from (values
            ('calm', 0.1, 1, null::varchar, null::varchar, null::varchar, 0.0),
            ('near', 0.4, 2, 'The price rose', 'A payment failed', null, 1.5)
        ) as rows (client_id, probability_90d, decile, reason_1, reason_2, reason_3, score)
    """,
    "risk_backtest": """
        select *, date '2024-04-01' as quarter, 0.25 as base_rate, date '2024-07-01' as as_of
        from (values (1, 2, 0, 0.0, 0.25, 1.0), (2, 2, 1, 0.5, 0.5, 1.0)) as rows
            (decile, clients, churned, churn_rate, precision_at_decile, recall_at_decile)
    """,
}
# What the suite of churn_drivers counts its exposures against: two clients in before the quarter of 1 April.
BESIDE = (
    "create table marts.fct_spells as select 'a' as client_id, date '2023-01-01' as started_on, null::date as ended_on"
)

BROKEN = [
    ("churn_drivers", "insert into {table} from {table}", "one row per signal and level"),
    ("churn_drivers", "update {table} set reference_level = null", "no empty reference_level"),
    ("churn_drivers", "update {table} set churn_rate = 1.5", "churn_rate is a share"),
    ("churn_drivers", "update {table} set churned = 2", "no more churned than exposed"),
    ("churn_drivers", "update {table} set churn_rate = null", "a rate wherever somebody was exposed"),
    (
        "churn_drivers",
        "update {table} set relative_risk = 2, ci_low = 3, ci_high = 4 where level = '1+'",
        "inside its interval",
    ),
    ("churn_drivers", "update {table} set relative_risk = 2 where level = '0'", "a reference level is 1"),
    ("at_risk_clients", "insert into {table} from {table}", "every client once"),
    ("at_risk_clients", "update {table} set mrr = null", "no empty mrr"),
    ("at_risk_clients", "update {table} set probability_90d = 1.1", "probability_90d is a chance"),
    ("at_risk_clients", "update {table} set decile = 11", "decile is a tenth"),
    (
        "at_risk_clients",
        "update {table} set probability_90d = 0 where client_id = 'near'",
        "never falls as the score rises",
    ),
    ("at_risk_clients", "update {table} set reason_2 = reason_1", "each stands once"),
    ("at_risk_clients", "update {table} set reason_1 = null", "filled from the first on"),
    ("risk_backtest", "insert into {table} from {table}", "one row per quarter and decile"),
    ("risk_backtest", "update {table} set base_rate = null", "no empty base_rate"),
    ("risk_backtest", "update {table} set recall_at_decile = 1.2", "recall_at_decile is a share"),
    ("risk_backtest", "update {table} set clients = 4 where decile = 1", "differ by one client at most"),
    ("risk_backtest", "update {table} set churned = 2 where decile = 2", "make up its base rate"),
    ("risk_backtest", "update {table} set recall_at_decile = 0.5", "make up its base rate"),
]


@pytest.fixture(scope="module")
def suites() -> dict[str, Suite]:
    project = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))
    found = load_suites(PROJECT_ROOT / "expectations", "marts", project["vars"])
    return {suite.name.removeprefix("marts_"): suite for suite in found}


def failures(suite: Suite, mart: str, statement: str, folder: Path) -> list[str]:
    """What a suite says about the sound rows of a mart after a statement."""
    file = folder / "build.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema marts; " + BESIDE)
        connection.execute(f"create table marts.{mart} as {SOUND[mart]}")
        connection.execute(statement.format(table=f"marts.{mart}"))
    return [outcome.sentence() for outcome in run_suites(file, [suite]) if not outcome.success]


@pytest.mark.parametrize("mart", SOUND)
def test_sound_rows_pass(mart: str, suites: dict[str, Suite], tmp_path: Path) -> None:
    assert failures(suites[mart], mart, "select 1", tmp_path) == []


@pytest.mark.parametrize(("mart", "statement", "words"), BROKEN)
def test_what_is_wrong_is_noticed(
    mart: str, statement: str, words: str, suites: dict[str, Suite], tmp_path: Path
) -> None:
    assert words in " ".join(failures(suites[mart], mart, statement, tmp_path))
