"""Harm prevented: a wrong figure of voice, win-back or clients, published because no expectation could notice it."""

from pathlib import Path

import duckdb
import pytest
import yaml

from retention.quality import Suite, load_suites, run_suites
from retention.settings import PROJECT_ROOT

AS_OF = "date '2025-01-01'"

# Sound rows per mart (two where levels add up), as column → value in SQL.
SOUND: dict[str, list[dict[str, str]]] = {
    "exit_reasons": [
        {
            "month": "date '2023-03-01'",
            "reason_code": "'quality'",
            "segment": segment,
            "defector": "'active'",
            "exits": "1",
            "mrr_lost": "100.00",
            "owner_department": "'Support'",
            "planned_on": "date '2023-06-01'",
            "fixed_on": "date '2023-06-10'",
            "is_overdue": "false",
            "as_of": AS_OF,
        }
        for segment in ("'all'", "'retail'")
    ],
    "interview_response": [
        {
            "month": "date '2023-03-01'",
            "defector": "'active'",
            "invited": "5",
            "answered": "1",
            "as_of": AS_OF,
        }
    ],
    "loop_monthly": [
        {
            "month": "date '2023-06-01'",
            "reason_code": "'quality'",
            "fixed_on": "date '2023-06-10'",
            "leavers": "3",
            "told": "2",
            "invited": "2",
            "returned": "1",
            "as_of": AS_OF,
        }
    ],
    "exit_precedents": [
        {
            "month": "date '2023-03-01'",
            "segment": segment,
            "exits": "1",
            "with_fee": "1",
            "with_price_rise": "0",
            "with_dispute": "0",
            "with_refusal": "1",
            "with_upsell": "0",
            "with_unsubscription": "0",
            "as_of": AS_OF,
        }
        for segment in ("'all'", "'retail'")
    ],
    "win_back_clients": [
        {
            "client_id": "'a'",
            "exit_type": "'released'",
            "ended_on": "date '2023-03-10'",
            "reason_code": "'quality'",
            "fixed_on": "date '2023-06-10'",
            "mrr_lost": "100.00",
            "consent": "true",
            "invited_at": "cast(null as timestamp with time zone)",
            "returned_on": "cast(null as date)",
            "is_to_invite": "true",
            "as_of": AS_OF,
        }
    ],
    "win_back_results": [
        {
            "month": month,
            "kind": "'win_back'",
            "contacted": "5",
            "returned": returned,
            "returned_90d": "1",
            "uncontacted": "4",
            "uncontacted_returned": uncontacted_returned,
            "uncontacted_returned_90d": "1",
            "cost": "750.00",
            "margin_back": "300.00",
            "margin_months": "9",
            "as_of": AS_OF,
        }
        # The second month has had its 90 days and not its year.
        for month, returned, uncontacted_returned in (
            ("date '2023-03-01'", "2", "1"),
            ("date '2024-03-01'", "cast(null as bigint)", "cast(null as bigint)"),
        )
    ],
    "client_360": [
        {
            "client_id": "'a'",
            "segment": "'retail'",
            "status": "'released'",
            "first_started_on": "date '2022-03-10'",
            "tenure_days": "365",
            "spells": "1",
            "mrr": "0.00",
            "lifetime_revenue": "1000.00",
            "payments": "3",
            "average_payment": "366.67",
            "payments_per_month": "0.25",
            "last_paid_on": "date '2023-03-01'",
            "failed_payments": "1",
            "refunds_asked": "2",
            "refunds_paid": "1",
            "refunds_refused": "1",
            "refunded_amount": "100.00",
            "discounts": "10.00",
            "fees": "5.00",
            "disputes": "1",
            "tickets": "1",
            "complaints": "1",
            "contacts": "2",
            "satisfaction_mean": "4.5",
            "satisfaction_n": "2",
            "cost_to_serve": "540.00",
            "margin": "60.00",
            "as_of": AS_OF,
        }
    ],
    "tenure_value": [
        {
            "tenure_year": "0",
            "segment": segment,
            "clients": "2",
            "client_months": "20",
            "revenue": "1000.00",
            "as_of": AS_OF,
        }
        for segment in ("'all'", "'retail'")
    ],
    "handover_monthly": [
        {
            "month": "date '2023-03-01'",
            "segment": segment,
            "started": "4",
            "median_days_to_contact": "3.5",
            "without_contact_14d": "1",
            "welcome_due": "3",
            "welcome_done": "2",
            "is_mature": "true",
            "as_of": AS_OF,
        }
        for segment in ("'all'", "'retail'")
    ],
    "programme_effect": [
        {
            "event_on": "date '2023-01-01'",
            "event_name": "'start'",
            "metric": f"'{metric}'",
            "before": "0.5",
            "after": "0.25",
            "change": "-0.25",
            "ci_low": "-0.4",
            "ci_high": "-0.05",
            "before_numerator": "24",
            "before_denominator": "48",
            "after_numerator": "12",
            "after_denominator": "48",
            "as_of": AS_OF,
        }
        for metric in (
            "churn_rate",
            "regretted_churn_rate",
            "annual_churn_rate",
            "return_rate_90",
            "first_100_days_churn",
            "first_response_attainment",
            "resolution_attainment",
        )
    ],
}

# What the suites compare with: other marts of the same build.
BESIDE = """
    create table seeds.reason_codes as select unnest(['quality', 'other']) as reason_code;
    create table marts.fct_spells as
    select 'a' as client_id, date '2022-03-10' as started_on, date '2023-03-10' as ended_on, 'released' as exit_type;
    create table marts.dim_clients as
    select
        'a' as client_id, 'released' as status, 1000.00 as lifetime_revenue, 0.00 as mrr, 1 as spells,
        'retail' as segment;
    create table marts.first_100_days as
    select date '2023-03-01' as month, unnest(['all', 'retail']) as segment, 4 as started;
"""

# mart, what goes wrong, and words of the expectation that has to notice it.
BROKEN = [
    *((mart, "insert into {table} from {table}", "one row per") for mart in SOUND),
    *((mart, "update {table} set as_of = null", "no empty as_of") for mart in SOUND),
    ("exit_reasons", "update {table} set mrr_lost = -1", "no negative mrr_lost"),
    ("exit_reasons", "update {table} set defector = 'angry'", "a known defector"),
    ("exit_reasons", "update {table} set exits = 0", "at least one exit"),
    ("exit_reasons", "update {table} set reason_code = 'weather'", "a reason of the seed"),
    ("exit_reasons", "update {table} set mrr_lost = 90 where segment = 'retail'", "add up to all"),
    ("exit_reasons", "update {table} set exits = 2", "as many exits in a month"),
    ("exit_reasons", "update {table} set is_overdue = true", "one fix per reason"),
    ("exit_reasons", "update {table} set planned_on = null where segment = 'all'", "one fix per reason"),
    ("exit_reasons", "update {table} set reason_code = 'unknown'", "no fix of an unknown reason"),
    ("exit_reasons", "update {table} set month = '2025-01-01'", "only mature months"),
    ("interview_response", "update {table} set answered = 6", "no more answers than invitations"),
    ("interview_response", "update {table} set answered = -1", "no negative answered"),
    ("interview_response", "update {table} set defector = 'angry'", "a known defector"),
    ("interview_response", "update {table} set as_of = '2023-03-15'", "whose fortnight has passed"),
    ("loop_monthly", "update {table} set told = 4", "no more told"),
    ("loop_monthly", "update {table} set returned = -1", "no negative returned"),
    ("loop_monthly", "update {table} set fixed_on = '2023-07-01'", "the fix in its month"),
    ("loop_monthly", "update {table} set month = '2025-01-01'", "only mature months"),
    ("exit_precedents", "update {table} set with_fee = 2", "than exits"),
    ("exit_precedents", "update {table} set with_upsell = -1", "no negative with_upsell"),
    ("exit_precedents", "update {table} set with_fee = 0 where segment = 'retail'", "add up to all"),
    ("exit_precedents", "update {table} set exits = 2", "the exits of the reasons"),
    ("exit_precedents", "update {table} set month = '2025-01-01'", "only mature months"),
    ("win_back_clients", "update {table} set exit_type = 'bored'", "a known exit type"),
    ("win_back_clients", "update {table} set mrr_lost = -1", "no negative mrr_lost"),
    ("win_back_clients", "update {table} set fixed_on = '2023-03-09'", "an exit before the return"),
    ("win_back_clients", "update {table} set invited_at = '2023-06-01 09:00:00+00'", "an invitation from the fix on"),
    ("win_back_clients", "update {table} set consent = false", "nobody to invite"),
    ("win_back_clients", "update {table} set exit_type = 'dismissed'", "nobody to invite"),
    ("win_back_clients", "update {table} set returned_on = '2023-05-01'", "nobody to invite"),
    ("win_back_clients", "update {table} set ended_on = '2023-03-09'", "every client with an exit"),
    ("win_back_clients", "delete from {table}", "every client with an exit"),
    ("win_back_results", "update {table} set kind = 'letter'", "a known kind"),
    ("win_back_results", "update {table} set cost = -1", "no negative cost"),
    ("win_back_results", "update {table} set returned = 6", "somebody in every cohort"),
    ("win_back_results", "update {table} set returned_90d = 3", "somebody in every cohort"),
    ("win_back_results", "update {table} set uncontacted_returned = null", "to be known together"),
    ("win_back_results", "update {table} set returned = 0, uncontacted_returned = 0", "where the month is mature"),
    ("win_back_results", "update {table} set contacted = 0, returned = 0, returned_90d = 0", "no cost and no margin"),
    ("win_back_results", "update {table} set month = '2025-01-01'", "only mature months"),
    ("client_360", "update {table} set status = 'bored'", "a known status"),
    ("client_360", "update {table} set tickets = -1", "no negative tickets"),
    ("client_360", "update {table} set lifetime_revenue = 999", "the clients of dim_clients"),
    ("client_360", "delete from {table}", "the clients of dim_clients"),
    ("client_360", "update {table} set refunds_asked = 1", "no more refunds decided"),
    ("client_360", "update {table} set last_paid_on = null", "exactly where there are payments"),
    ("client_360", "update {table} set average_payment = 366.60", "the average times the number"),
    ("client_360", "update {table} set payments_per_month = null", "exactly where there were days with us"),
    ("client_360", "update {table} set satisfaction_n = 0", "scores between 1 and 5"),
    ("client_360", "update {table} set margin = 60.01", "as margin, up to rounding"),
    ("client_360", "update {table} set segment = 'all'", "no segment that is called all"),
    ("tenure_value", "update {table} set tenure_year = -1", "no negative tenure_year"),
    ("tenure_value", "update {table} set client_months = 25", "at most twelve of each"),
    ("tenure_value", "update {table} set revenue = 1 where segment = 'all'", "add up to all"),
    ("handover_monthly", "update {table} set median_days_to_contact = -1", "no negative median_days_to_contact"),
    ("handover_monthly", "update {table} set is_mature = false", "counts exactly where the month is mature"),
    ("handover_monthly", "update {table} set welcome_done = 4", "no more without contact, due or done"),
    ("handover_monthly", "update {table} set started = 5", "the starts of first_100_days"),
    ("handover_monthly", "update {table} set welcome_done = 1 where segment = 'all'", "add up to all"),
    ("handover_monthly", "update {table} set month = '2025-01-01'", "only mature months"),
    ("programme_effect", "update {table} set metric = 'mood' where metric = 'churn_rate'", "a known metric"),
    ("programme_effect", "update {table} set before_numerator = -1", "no negative before_numerator"),
    ("programme_effect", "update {table} set before = 0.6", "over their denominators"),
    ("programme_effect", "update {table} set after_numerator = 50, after = 50 / 48", "shares between 0 and 1"),
    ("programme_effect", "update {table} set ci_high = -0.3", "a change with its interval"),
    ("programme_effect", "update {table} set after = null", "a change with its interval"),
    ("programme_effect", "delete from {table} where metric = 'churn_rate'", "every metric of every event"),
]


@pytest.fixture(scope="module")
def suites() -> dict[str, Suite]:
    project = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))
    found = load_suites(PROJECT_ROOT / "expectations", "marts", project["vars"])
    return {suite.name.removeprefix("marts_"): suite for suite in found}


def failures(suite: Suite, mart: str, statement: str, folder: Path) -> list[str]:
    """What a suite says about the sound rows of a mart, beside the sound marts, after a statement."""
    file = folder / "build.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema marts; create schema seeds;" + BESIDE)
        for name, sound in SOUND.items():
            rows = [", ".join(f"{value} as {column}" for column, value in row.items()) for row in sound]
            connection.execute(f"create table marts.{name} as " + " union all ".join(f"select {row}" for row in rows))
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
