"""Harm prevented: a wrong figure that is published because the expectation against it never could fail."""

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from retention.build import current_build, effective_vars
from retention.quality import Outcome, Suite, load_suites, run_suites
from retention.settings import PROJECT_ROOT, Settings, load_settings
from retention.sources import entities
from tests.publish.company import AS_OF, built_home

EXPECTATIONS = PROJECT_ROOT / "expectations"


@pytest.fixture(scope="module")
def settings() -> Settings:
    home = built_home()
    return load_settings(home, sources=["files"], files_dir=home / "files", as_of=AS_OF)


@pytest.fixture(scope="module")
def suites(settings: Settings) -> dict[str, Suite]:
    variables = current_build(settings).vars
    both = load_suites(EXPECTATIONS, "landing", variables) + load_suites(EXPECTATIONS, "marts", variables)
    return {suite.name: suite for suite in both}


@pytest.fixture
def broken(settings: Settings, suites: dict[str, Suite], tmp_path: Path) -> Any:
    """Change the build with a statement and run one suite on it. Returns the outcomes that failed."""

    def check(name: str, statement: str) -> list[Outcome]:
        file = tmp_path / "broken.duckdb"
        shutil.copy(settings.build_file, file)
        with duckdb.connect(str(file)) as connection:
            connection.execute(statement)
        return [outcome for outcome in run_suites(file, [suites[name]]) if not outcome.success]

    return check


def test_every_mart_has_a_suite_and_every_suite_its_mart(settings: Settings) -> None:
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        marts = connection.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()
    assert {path.stem for path in EXPECTATIONS.glob("marts_*.yml")} == {f"marts_{name}" for (name,) in marts}


def test_every_landed_table_has_a_suite_and_every_suite_its_table(settings: Settings) -> None:
    sources = ("bitrix24", "billing", "znuny", "files")
    tables = {f"{source}__{entity.name}" for source in sources for entity in entities(settings, source)}
    enabled = settings.model_copy(update={"sources": list(sources)})
    suites = load_suites(EXPECTATIONS, "landing", effective_vars(enabled))
    assert {suite.table for suite in suites} == tables | {"loads"}


@pytest.mark.parametrize("path", sorted(EXPECTATIONS.glob("*.yml")), ids=lambda path: path.stem)
def test_a_suite_says_what_it_guards_and_what_to_do(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["guards"].strip()
    assert content["key"]
    for expectation in content["expectations"]:
        assert expectation["words"]
        assert expectation.get("fix", content.get("on_failure", "")).strip()


def test_every_suite_can_be_evaluated_on_a_build_and_holds(settings: Settings, suites: dict[str, Suite]) -> None:
    failed = [
        outcome.sentence() for outcome in run_suites(settings.build_file, list(suites.values())) if not outcome.success
    ]
    # Systems that are not enabled have landed nothing, so their required tables are empty; nothing else may be wrong.
    assert [text for text in failed if "at least one row" not in text] == []
    assert {text.split(":")[0].split("_")[1] for text in failed} == {"bitrix24", "znuny"}


# One statement per rule: it must break that rule, in the words of the suite.
BROKEN = [
    ("marts_dim_clients", "insert into marts.dim_clients from marts.dim_clients limit 1", "one row per client_id"),
    ("marts_dim_clients", "update marts.dim_clients set segment = null where client_id = 'C001'", "no empty segment"),
    ("marts_dim_clients", "update marts.dim_clients set status = 'gone' where client_id = 'C001'", "a known status"),
    ("marts_dim_clients", "update marts.dim_clients set mrr = -1 where client_id = 'C001'", "no negative mrr"),
    (
        "marts_dim_clients",
        "update marts.dim_clients set segment = 'all' where client_id = 'C001'",
        "no segment that is",
    ),
    ("marts_dim_clients", "update marts.dim_clients set spells = 0 where client_id = 'C001'", "never_active exactly"),
    ("marts_dim_clients", "update marts.dim_clients set status = 'lapsed' where client_id = 'C001'", "money now only"),
    ("marts_dim_employees", "insert into marts.dim_employees values ('e1', null, false, '2024-07-01')", "no empty dep"),
    (
        "marts_fct_spells",
        "update marts.fct_spells set ended_on = started_on where exit_type = 'released'",
        "ends after",
    ),
    (
        "marts_fct_spells",
        "update marts.fct_spells set exit_type = null where exit_type = 'released'",
        "an exit type exac",
    ),
    (
        "marts_fct_spells",
        "update marts.fct_spells set spell_number = 3 where spell_number = 2",
        "spells numbered from 1",
    ),
    (
        "marts_fct_client_months",
        "update marts.fct_client_months set movement = 'gone' where client_id = 'C001'",
        "a know",
    ),
    (
        "marts_fct_client_months",
        "update marts.fct_client_months set mrr_change = 7 where client_id = 'C001'",
        "the change",
    ),
    (
        "marts_fct_client_months",
        "update marts.fct_client_months set is_churned = true where client_id = 'C001'",
        "an exit",
    ),
    ("marts_fct_client_months", "update marts.fct_client_months set as_of = '2023-06-01'", "only mature months"),
    ("marts_fct_releases", "update marts.fct_releases set handling = 'pleaded'", "a known handling"),
    (
        "marts_fct_releases",
        "update marts.fct_releases set is_censored = not is_censored",
        "returned_on, days_to_return",
    ),
    ("marts_fct_releases", "update marts.fct_releases set as_of = '2023-01-01'", "releases before the clock"),
    ("marts_churn_monthly", "update marts.churn_monthly set new_clients = new_clients + 1", "opening + new + returned"),
    ("marts_churn_monthly", "delete from marts.churn_monthly where month = '2023-05-01'", "every month to open with"),
    ("marts_churn_monthly", "update marts.churn_monthly set released = released + 1", "the exit types to add up"),
    (
        "marts_churn_monthly",
        "update marts.churn_monthly set churned_12m = opening_12m + 1",
        "no more churned in a year",
    ),
    (
        "marts_churn_monthly",
        "delete from marts.churn_monthly where segment = 'retail'",
        "the segments to add up to all",
    ),
    ("marts_mrr_monthly", "update marts.mrr_monthly set closing_mrr = closing_mrr + 0.01", "opening + new + returned"),
    ("marts_mrr_monthly", "delete from marts.mrr_monthly where month = '2023-05-01'", "every month to open with"),
    ("marts_mrr_monthly", "update marts.mrr_monthly set retained_mrr_12m = mrr_12m_ago + 1", "no more retained than"),
    ("marts_mrr_monthly", "delete from marts.mrr_monthly where segment = 'retail'", "the segments to add up to all"),
    ("marts_return_rates", "update marts.return_rates set returned = mature_releases + 1", "returned <= mature"),
    (
        "marts_return_rates",
        "update marts.return_rates set releases = releases + 1 where is_mature",
        "all releases of a mat",
    ),
    ("marts_return_rates", "delete from marts.return_rates where handling = 'unknown'", "handlings to add up to all"),
    ("marts_return_summary", "update marts.return_summary set return_rate = 1.5", "return_rate between 0 and 1"),
    ("marts_return_summary", "update marts.return_summary set ci_high = 0", "the rate to be returned / mature"),
    ("marts_return_curve", "update marts.return_curve set at_risk = 0 where day = 3", "at least 10 releases at risk"),
    (
        "marts_return_curve",
        "update marts.return_curve set cumulative_return = 0.9 where day = 0",
        "a curve that never falls",
    ),
    (
        "marts_return_curve",
        "update marts.return_curve set ci_low = 1, cumulative_return = 0.5",
        "a band around the curve",
    ),
    ("marts_retention_cohorts", "update marts.retention_cohorts set active_clients = 99", "unbroken <= active <= size"),
    (
        "marts_retention_cohorts",
        "update marts.retention_cohorts set unbroken_clients = month_number",
        "an unbroken share",
    ),
    ("marts_retention_cohorts", "update marts.retention_cohorts set as_of = '2023-01-15'", "only mature cells"),
    (
        "marts_first_100_days",
        "update marts.first_100_days set churned_within_100 = 0 where not is_mature",
        "a count exactly",
    ),
    ("marts_pipeline_health", "update marts.pipeline_health set rows_quarantined = 1", "at most 0.01 of an entity"),
    ("marts_pipeline_health", "update marts.pipeline_health set rows_in_warehouse = 999", "no more rows in the wareh"),
    (
        "marts_dated_events",
        "insert into marts.dated_events values ('2023-01-01', null, '2024-07-01')",
        "no empty event_name",
    ),
    ("landing_loads", "insert into landing.loads from landing.loads limit 1", "every load once"),
    ("landing_loads", "update landing.loads set complete_until = null", "every load of rows to say"),
    (
        "landing_files_clients",
        "create or replace view landing.files__clients as from landing.files__contracts limit 0",
        "at least one row",
    ),
    (
        "landing_files_contracts",
        "create or replace view landing.files__contracts as "
        "select event_key as contract_key, * from landing.files__prepaid_events",
        "at least one row here or in files__prepaid_events",
    ),
    (
        "landing_files_clients",
        "create or replace view landing.files__clients as select *, null as _load_id, 1 as _row_number "
        "from (select 'C1' as client_key)",
        "every row to name the load it came with (_load_id)",
    ),
]


@pytest.mark.parametrize(("name", "statement", "words"), BROKEN, ids=[f"{name}: {words}" for name, _, words in BROKEN])
def test_a_mart_broken_on_purpose_is_caught_by_its_suite(broken: Any, name: str, statement: str, words: str) -> None:
    failed = broken(name, statement)
    assert any(outcome.rule.words.startswith(words) for outcome in failed), [outcome.rule.words for outcome in failed]
    assert not any("could not be evaluated" in outcome.said for outcome in failed)


def test_a_failure_names_suite_count_five_keys_and_what_to_do(broken: Any) -> None:
    failed = broken("marts_dim_clients", "update marts.dim_clients set region = null")
    (outcome,) = failed
    text = outcome.sentence()
    assert text.startswith("marts_dim_clients: expected no empty region, but 40 rows do not fit (client_id C0")
    assert text.count("client_id C") == 5
    assert "run again" in text


def test_a_table_that_is_missing_is_a_failure_and_not_a_pass(broken: Any) -> None:
    (outcome,) = broken("marts_return_curve", "drop table marts.return_curve")
    assert outcome.sentence().startswith("marts_return_curve: expected the table marts.return_curve: there is none")


def test_a_column_that_is_missing_is_a_failure_that_says_so(broken: Any) -> None:
    failed = broken("marts_dim_employees", "alter table marts.dim_employees drop column department")
    assert any("department" in outcome.sentence() and "could not be evaluated" in outcome.said for outcome in failed)


def test_the_file_can_be_written_again_after_the_suites_have_run(
    settings: Settings, suites: dict[str, Suite], tmp_path: Path
) -> None:
    file = tmp_path / "build.duckdb"
    shutil.copy(settings.build_file, file)
    run_suites(file, [suites["marts_fct_spells"], suites["marts_dim_clients"]])
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table free (id integer)")


def test_the_suites_of_sql_sources_notice_what_they_are_there_for(tmp_path: Path) -> None:
    variables = {"sql_sources": {"shop": ["contracts", "payments"]}}
    suites = [suite for suite in load_suites(EXPECTATIONS, "landing", variables) if suite.table.startswith("shop__")]
    assert {suite.table for suite in suites} == {"shop__contracts", "shop__payments"}
    file = tmp_path / "build.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "create schema landing; "
            "create table landing.loads (source varchar, entity varchar, rows bigint); "
            "create table landing.shop__contracts (contract_key varchar, _load_id varchar, _row_number bigint); "
            "create table landing.shop__payments (payment_key varchar, _load_id varchar, _row_number bigint); "
            "insert into landing.shop__payments values ('p1', 'l1', 1), (null, 'l1', 2), ('p3', null, 3)"
        )
    failed = [outcome.sentence() for outcome in run_suites(file, suites) if not outcome.success]
    assert len(failed) == 3
    assert any("landing_sql (shop, payments): expected no empty payment_key, but 1 row" in text for text in failed)
    assert any("to name the load it came with (_load_id), but 1 row" in text for text in failed)
    assert any("landing_sql_contracts (shop, contracts): expected at least one row here" in text for text in failed)
    with duckdb.connect(str(file)) as connection:
        connection.execute("insert into landing.loads values ('shop', 'prepaid_events', 3)")
    failed = [outcome.sentence() for outcome in run_suites(file, suites) if not outcome.success]
    assert not any("at least one row" in text for text in failed)
