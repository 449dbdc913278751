"""Harm prevented: a product whose parts each pass their tests and that does not run as a whole.

One small demo company is brought up as `make demo` does it: PostgreSQL, the three source systems, Airflow with its real
scheduler, Superset. The tests follow its life in the order in which they stand here.
"""

import json
import os
import re
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import psutil
import psycopg
import pytest

from local import airflow, company, processes, services
from local.stack import Stack

CHECKOUT = Path(__file__).parents[2]
CLIENTS = 150
EXTRACTIONS = company.EXTRACTIONS
FINISHED = company.FINISHED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def local(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m local …` as the Makefile does."""
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        env={**os.environ, "RETENTION_HOME": str(home)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    home = tmp_path_factory.mktemp("e2e")
    result = local(home, "demo", "--clients", str(CLIENTS))
    print(result.stdout)
    try:
        assert result.returncode == 0, result.stdout + result.stderr
        running = Stack(home)
        (home / "demo.out").write_text(result.stdout)
        yield running
    finally:
        stopped = local(home, "stop")
        print(stopped.stdout, stopped.stderr)


def published(stack: Stack) -> str:
    return (stack.home / "published" / "retention.duckdb").resolve().name


def query(stack: Stack, sql: str):
    with duckdb.connect(str((stack.home / "published" / "retention.duckdb").resolve()), read_only=True) as connection:
        return connection.sql(sql).fetchall()


def extract_and_wait_for_a_build(stack: Stack) -> dict:
    """Trigger the extractions and return the build run that their assets start, finished."""
    client = airflow.Client(stack)
    wait(lambda: all(run["state"] in FINISHED for run in client.runs("build_warehouse")), "earlier builds to end")
    known = {run["dag_run_id"] for run in client.runs("build_warehouse")}
    for dag_id in EXTRACTIONS:
        client.trigger(dag_id)

    def finished() -> dict | None:
        fresh = [run for run in client.runs("build_warehouse") if run["dag_run_id"] not in known]
        return next((run for run in fresh if run["state"] in FINISHED), None)

    return wait(finished, "a build after the extractions")


def wait(ready, what: str, seconds: float = 420):
    deadline = time.monotonic() + seconds
    while not (answer := ready()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(1)
    return answer


def states(stack: Stack, run: dict) -> dict[str, str]:
    return {
        task["task_id"]: task["state"] for task in airflow.Client(stack).tasks("build_warehouse", run["dag_run_id"])
    }


def test_one_command_leads_to_a_published_build_and_says_the_headline_numbers(stack):
    said = (stack.home / "demo.out").read_text()
    assert "Churn of the trailing year" in said
    assert stack.address("superset") in said
    assert stack.address("airflow") in said
    assert stack.values["LOCAL_AIRFLOW_PASSWORD"] not in said
    assert query(stack, "select count(*) from marts.churn_monthly where segment = 'all'")[0][0] > 30


def test_the_scheduler_ran_every_stage_of_the_build_in_order(stack):
    client = airflow.Client(stack)
    built = [
        tasks
        for run in client.runs("build_warehouse")
        if (tasks := client.tasks("build_warehouse", run["dag_run_id"]))
        and all(task["state"] == "success" for task in tasks)
    ]
    assert len(built) == 1, "exactly one build was needed"
    order = [task["task_id"] for task in sorted(built[0], key=lambda task: task["start_date"])]
    assert order == [
        "decide", "check_landing", "dbt_seed", "dbt_staging", "dbt_intermediate", "dbt_marts", "check_marts", "publish",
    ]  # fmt: skip


def test_the_published_numbers_are_those_that_were_planted(stack):
    truth = json.loads((stack.home / "demo" / "truth.json").read_text())
    planted = {(spell["client_id"], spell["spell_number"], spell["exit_type"]) for spell in truth["spells"]}
    found = set(query(stack, "select client_id, spell_number, exit_type from marts.fct_spells"))
    assert found == planted


def test_the_second_time_is_quick_and_changes_nothing(stack):
    before, running = published(stack), {name: processes.recorded(stack.run, name) for name in services.COMPONENTS}
    begin = time.monotonic()
    result = local(stack.home, "demo")
    assert result.returncode == 0, result.stdout + result.stderr
    assert time.monotonic() - begin < 30
    assert published(stack) == before
    assert {name: processes.recorded(stack.run, name) for name in services.COMPONENTS} == running


def test_runs_without_new_data_publish_nothing(stack):
    before = published(stack)
    run = extract_and_wait_for_a_build(stack)
    assert run["state"] == "success"
    assert states(stack, run)["publish"] == "skipped"
    assert published(stack) == before


def test_three_days_later_the_next_runs_publish_three_days_more(stack):
    before = published(stack)
    advanced = subprocess.run(
        [sys.executable, "-m", "demo", "advance", "--days", "3"],
        env=services.demo_environment(stack), cwd=CHECKOUT, capture_output=True, text=True,
    )  # fmt: skip
    assert advanced.returncode == 0, advanced.stdout + advanced.stderr
    run = extract_and_wait_for_a_build(stack)
    assert run["state"] == "success", states(stack, run)
    assert published(stack) != before
    assert query(stack, "select distinct as_of::varchar from marts.churn_monthly") == [("2026-01-04",)]
    truth = json.loads((stack.home / "demo" / "truth.json").read_text())
    assert query(stack, "select count(*) from marts.fct_spells") == [(len(truth["spells"]),)]


def test_a_range_of_days_is_read_again_by_a_run_with_parameters(stack):
    with psycopg.connect(stack.database_url("znuny", "owner")) as desk:
        # Repaired by hand, long ago by its stamp: no cursor sees it.
        (changed,) = desk.execute(
            "update ticket set create_by = 2 where id = (select min(id) from ticket where create_by = 1) "
            "returning change_time"
        ).fetchone()
    client = airflow.Client(stack)
    # The stamp is of the help-desk's zone: one day to either side of it holds it in any zone.
    days = [(changed + timedelta(days=offset)).date().isoformat() for offset in (-1, 2)]
    for conf, expected in (({}, 0), ({"from": days[0], "until": days[1]}, 1)):
        run_id = client.trigger("extract_tickets", conf)

        def finished(run_id: str = run_id) -> dict | None:
            runs = client.runs("extract_tickets")
            return next((run for run in runs if run["dag_run_id"] == run_id and run["state"] in FINISHED), None)

        assert wait(finished, "the extraction")["state"] == "success"
        log = client.task_log("extract_tickets", run_id, "extract")
        assert re.search(rf"znuny\.ticket: [\d,]+ rows read, {expected} new or changed in \d+\.\d s", log), log


def test_a_closed_gate_leaves_the_last_build_published_and_a_red_task_that_says_why(stack):
    before = published(stack)
    with psycopg.connect(stack.database_url("billing", "owner")) as billing:
        billing.execute(
            "update contract set price = -1, modified_at = (select max(modified_at) from contract) "
            "where contract_no in (select contract_no from contract order by contract_no limit 40)"
        )
    run = extract_and_wait_for_a_build(stack)
    assert run["state"] == "failed"
    red = [task for task, state in states(stack, run).items() if state == "failed"]
    assert red in (["check_landing"], ["check_marts"])
    client = airflow.Client(stack)
    reason = company.why(client.task_log("build_warehouse", run["dag_run_id"], red[0]))
    assert "nothing was published" in reason
    assert "contracts" in reason
    assert "negative_price" in reason
    assert published(stack) == before
    assert query(stack, "select count(*) from marts.churn_monthly")[0][0] > 0


def test_a_component_that_was_killed_comes_back_with_the_next_start(stack):
    psutil.Process(processes.recorded(stack.run, airflow.SCHEDULER).pid).kill()
    wait(lambda: not stack.alive(airflow.SCHEDULER), "the scheduler to die", 20)
    result = local(stack.home, "up")
    assert result.returncode == 0, result.stdout + result.stderr
    assert stack.alive(airflow.SCHEDULER)


def test_stop_leaves_no_process_and_no_open_port_behind(stack):
    assert local(stack.home, "stop").returncode == 0
    assert processes.names(stack.run) == []
    assert all(processes.port_is_free(stack.port(name)) for name in ("postgres", "airflow", "superset", "bitrix24"))
    left = []
    for process in psutil.process_iter(["cmdline"]):
        if str(stack.home) in " ".join(process.info["cmdline"] or []):
            left.append(process.info["cmdline"])
    assert left == []
