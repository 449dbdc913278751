"""Harm prevented: a wrong figure of service, published because the expectation against it never could fail."""

from pathlib import Path

import duckdb
import pytest
import yaml

from retention.quality import Suite, load_suites, run_suites
from retention.settings import PROJECT_ROOT

# One sound row per mart (two where levels add up), as column → value in SQL.
SOUND: dict[str, list[dict[str, str]]] = {
    "service_monthly": [
        {
            "month": "date '2024-01-01'",
            "sla_class": "'ours'",
            "queue": "'support'",
            "tickets": "10",
            "first_response_met": "6",
            "first_response_breached": "2",
            "resolution_met": "5",
            "resolution_breached": "4",
            "first_response_answered": "7",
            "median_first_response_minutes": "60.0",
            "median_resolution_minutes": "300.0",
            "reopened": "1",
            "solved": "8",
            "with_manager_solved": "5",
            "with_manager_minutes": "500.0",
            "without_manager_solved": "3",
            "without_manager_minutes": "900.0",
            "before_manager_solved": "2",
            "before_manager_minutes": "600.0",
            "after_manager_solved": "5",
            "after_manager_minutes": "500.0",
            "is_final": "true",
            "as_of": "date '2024-03-01'",
        }
    ],
    "ticket_quality_monthly": [
        {
            "month": "date '2024-01-01'",
            "queue": "'support'",
            "tickets": "10",
            "promise_changes": "3",
            "promise_changed_tickets": "2",
            "reopened": "1",
            "repeats_30d": "2",
            "in_a_row": "1",
            "longest_silence_hours": "20.5",
            "unanswered_1d": "5",
            "unanswered_3d": "3",
            "unanswered_7d": "1",
            "as_of": "date '2024-03-01'",
        }
    ],
    "feedback_monthly": [
        {
            "month": "date '2024-01-01'",
            "kind": "'review'",
            "submitted": "10",
            "answered_in_time": "4",
            "unanswered": "3",
            "median_answer_minutes": "200.0",
            "negative_public": "2",
            "negative_public_unanswered": "1",
            "ignored": "4",
            "acted_on": "5",
            "median_days_to_action": "3.0",
            "as_of": "date '2024-03-01'",
        }
    ],
    "satisfaction_monthly": [
        {
            "month": "date '2024-01-01'",
            "segment": segment,
            "operator_mean": "4.0",
            "operator_n": "2",
            "review_mean": "cast(null as double)",
            "review_n": "0",
            "survey_mean": "5.0",
            "survey_n": "3",
            "satisfaction_index": "4.5",
            "is_warning": "false",
            "scored_n": "5",
            "csat_n": "4",
            "as_of": "date '2024-03-01'",
        }
        for segment in ("'all'", "'retail'")
    ],
    "communication_monthly": [
        {
            "month": "date '2024-01-01'",
            "segment": segment,
            "clients": "10",
            "people_met": "12",
            "people_met_3plus": "2",
            "mailing_silent": "3",
            "manager_changes": "1",
            "contacts": "20",
            "contacts_by_own_manager": "8",
            "upsell_contacts": "4",
            "unsubscribed": "1",
            "as_of": "date '2024-03-01'",
        }
        for segment in ("'all'", "'retail'")
    ],
    "manager_monthly": [
        {
            "month": "date '2024-01-01'",
            "employee_id": "'e1'",
            "clients": "10",
            "contacts": "20",
            "tickets": "4",
            "median_first_response_minutes": "60.0",
            "satisfaction_index": "4.5",
            "operator_n": "1",
            "review_n": "0",
            "survey_n": "0",
            "as_of": "date '2024-03-01'",
        }
    ],
}

# mart, what goes wrong, and words of the expectation that has to notice it.
BROKEN = [
    ("service_monthly", "insert into {table} from {table}", "one row per"),
    ("service_monthly", "update {table} set queue = null", "no empty queue"),
    ("service_monthly", "update {table} set sla_class = 'theirs'", "known classes"),
    ("service_monthly", "update {table} set tickets = 0", "only where a ticket was opened"),
    ("service_monthly", "update {table} set first_response_breached = 5", "fit into the tickets"),
    ("service_monthly", "update {table} set resolution_met = 7", "fit into the tickets"),
    ("service_monthly", "update {table} set reopened = 9", "fit into the tickets"),
    ("service_monthly", "update {table} set median_resolution_minutes = null", "a median exactly"),
    ("service_monthly", "update {table} set median_first_response_minutes = -1", "a median exactly"),
    ("service_monthly", "update {table} set without_manager_solved = 4", "adding up to the solved"),
    ("service_monthly", "update {table} set after_manager_minutes = 990", "adding up to the solved"),
    ("service_monthly", "update {table} set month = '2024-03-01'", "begun before the clock"),
    ("service_monthly", "update {table} set month = '2024-02-01', as_of = '2024-02-20'", "begun before the clock"),
    ("ticket_quality_monthly", "insert into {table} from {table}", "one row per"),
    ("ticket_quality_monthly", "update {table} set longest_silence_hours = null", "no empty longest_silence_hours"),
    ("ticket_quality_monthly", "update {table} set longest_silence_hours = -1", "shorter than nothing"),
    ("ticket_quality_monthly", "update {table} set in_a_row = 11", "fit into the tickets"),
    ("ticket_quality_monthly", "update {table} set promise_changes = 1", "fit into the tickets"),
    ("ticket_quality_monthly", "update {table} set unanswered_3d = 6", "among the younger"),
    ("ticket_quality_monthly", "update {table} set month = '2024-03-01'", "only mature months"),
    ("feedback_monthly", "insert into {table} from {table}", "one row per"),
    ("feedback_monthly", "update {table} set ignored = null", "no empty ignored"),
    ("feedback_monthly", "update {table} set kind = 'letter'", "known kinds"),
    ("feedback_monthly", "update {table} set answered_in_time = 8", "fit into the submitted"),
    ("feedback_monthly", "update {table} set kind = 'complaint'", "fit into the submitted"),
    ("feedback_monthly", "update {table} set negative_public_unanswered = 3", "fit into the submitted"),
    ("feedback_monthly", "update {table} set median_days_to_action = null", "a median exactly"),
    ("feedback_monthly", "update {table} set month = '2024-03-01'", "only mature months"),
    ("satisfaction_monthly", "insert into {table} from {table}", "one row per"),
    ("satisfaction_monthly", "update {table} set csat_n = null", "no empty csat_n"),
    ("satisfaction_monthly", "update {table} set operator_mean = 0", "from 1 to 5"),
    ("satisfaction_monthly", "update {table} set review_n = 1, scored_n = 6", "a mean exactly"),
    ("satisfaction_monthly", "update {table} set satisfaction_index = null", "a mean exactly"),
    ("satisfaction_monthly", "update {table} set satisfaction_index = 3.9", "within its parts"),
    ("satisfaction_monthly", "update {table} set csat_n = 6", "adding up to all scores"),
    ("satisfaction_monthly", "delete from {table} where segment = 'retail'", "adding up to all scores"),
    ("communication_monthly", "insert into {table} from {table}", "one row per"),
    ("communication_monthly", "update {table} set contacts = null", "no empty contacts"),
    ("communication_monthly", "update {table} set people_met = 5", "within the whole"),
    ("communication_monthly", "update {table} set upsell_contacts = 21", "within the whole"),
    ("communication_monthly", "update {table} set unsubscribed = 2 where segment = 'all'", "adding up to `all`"),
    ("communication_monthly", "update {table} set clients = 11 where segment = 'retail'", "adding up to `all`"),
    ("manager_monthly", "insert into {table} from {table}", "one row per"),
    ("manager_monthly", "update {table} set employee_id = null", "no empty employee_id"),
    ("manager_monthly", "update {table} set satisfaction_index = 5.5", "an index from 1 to 5"),
    ("manager_monthly", "update {table} set tickets = 0", "no median without tickets"),
    ("manager_monthly", "update {table} set operator_n = 0", "no index without scores"),
    ("manager_monthly", "update {table} set month = '2024-03-01'", "only mature months"),
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
        rows = [", ".join(f"{value} as {name}" for name, value in row.items()) for row in SOUND[mart]]
        connection.execute("create schema marts")
        connection.execute(f"create table marts.{mart} as " + " union all ".join(f"select {row}" for row in rows))
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
