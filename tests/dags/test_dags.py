"""Harm prevented: a DAG that silently vanished, lost its trigger or its place in the queue, retries a failed gate, or
makes the DAG processor import half the world every few seconds.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
DAGS = CHECKOUT / "dags"
GRAPH = Path(__file__).with_name("graph.json")
HEAVY = {
    "pandas", "numpy", "duckdb", "pyarrow", "dbt", "great_expectations", "b24pysdk", "psycopg", "psycopg2", "requests",
    "lifelines", "scipy",
}  # fmt: skip


def read(folder: Path, home: Path, *arguments: str, **settings: str):
    """Run graph.py on a folder of DAGs with settings of its own."""
    result = subprocess.run(
        [sys.executable, str(CHECKOUT / "tests" / "dags" / "graph.py"), str(folder), *arguments],
        env={**os.environ, "AIRFLOW_HOME": str(home / "airflow"), "RETENTION_HOME": str(home), **settings},
        cwd=home,  # the folder must be found from anywhere
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise AssertionError(result.stderr)
    return json.loads(result.stdout.strip().splitlines()[-1] if "--imports" in arguments else result.stdout)


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return read(DAGS, tmp_path_factory.mktemp("home"))


@pytest.fixture
def broken_dags(tmp_path):
    folder = tmp_path / "dags"
    shutil.copytree(DAGS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_whole_graph_is_as_recorded(graph):
    # After a change that is meant: python tests/dags/graph.py dags > tests/dags/graph.json
    assert graph == json.loads(GRAPH.read_text())


def test_a_task_that_lost_its_place_in_the_chain_changes_the_graph(broken_dags, tmp_path):
    path = broken_dags / "build_warehouse.py"
    path.write_text(path.read_text().replace("        check_marts(build_id),\n", ""))
    assert read(broken_dags, tmp_path) != json.loads(GRAPH.read_text())


def test_every_dag_says_what_to_do_when_it_fails_and_tells_of_failures(graph):
    for name, dag in graph.items():
        assert dag["documented"], name
        assert dag["tags"], name
        assert dag["max_active_runs"] == 1, name
        assert all(task["tells_of_failure"] for task in dag["tasks"].values()), name


def test_only_what_talks_to_another_system_is_retried_and_extraction_backs_off(graph):
    retried = {(name, task) for name, dag in graph.items() for task, about in dag["tasks"].items() if about["retries"]}
    assert {name for name, _ in retried} == {
        "extract_crm", "extract_billing", "extract_tickets", "reconcile_keys", "refresh_dashboards",
    }  # fmt: skip
    for name, task in retried - {("refresh_dashboards", "push")}:
        assert graph[name]["tasks"][task]["backs_off"], name


def test_every_stage_of_a_build_queues_for_the_one_writer(graph):
    assert {task["pool"] for task in graph["build_warehouse"]["tasks"].values()} == {"warehouse_writer"}


def test_every_pool_that_a_task_names_is_made(graph):
    made = json.loads((DAGS / "pools.json").read_text())
    used = {task["pool"] for dag in graph.values() for task in dag["tasks"].values()} - {"default_pool"}
    assert used <= set(made)
    assert {pool["slots"] for pool in made.values()} == {1}


def test_extraction_and_reconciliation_of_one_source_take_turns(graph):
    reconciled = {task["pool"] for task in graph["reconcile_keys"]["tasks"].values()}
    extracted = {graph[f"extract_{system}"]["tasks"]["extract"]["pool"] for system in ("crm", "billing", "tickets")}
    assert reconciled == extracted
    assert len(extracted) == 3


def test_a_build_waits_for_each_enabled_source_and_for_no_other(tmp_path):
    only_files = read(DAGS, tmp_path, RETENTION_SOURCES="files", RETENTION_FILES_DIR=str(tmp_path))
    assert only_files["build_warehouse"]["schedule"] == "after all of landed_files"
    assert "extract_files" in only_files
    assert "extract_crm" not in only_files


def test_a_database_that_a_mapping_file_adds_has_a_dag_of_its_own_and_builds_wait_for_it(tmp_path):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "surveys.yml").write_text("entities:\n  feedback: {query: select 1}\n")
    with_surveys = read(
        DAGS,
        tmp_path,
        RETENTION_SOURCES="files,surveys",
        RETENTION_FILES_DIR=str(tmp_path),
        RETENTION_SOURCES_DIR=str(tmp_path / "sources"),
    )
    task = with_surveys["extract_surveys"]["tasks"]["extract"]
    assert (task["emits"], task["pool"], task["backs_off"]) == (["landed_surveys"], "source_sql", True)
    assert with_surveys["extract_surveys"]["schedule"] == with_surveys["extract_files"]["schedule"]
    assert with_surveys["build_warehouse"]["schedule"] == "after all of landed_files, landed_surveys"
    assert "reconcile_surveys" in with_surveys["reconcile_keys"]["tasks"]
    assert "source_sql" in json.loads((DAGS / "pools.json").read_text())


def test_no_dag_file_imports_anything_heavy(tmp_path):
    assert not HEAVY & set(read(DAGS, tmp_path, "--imports"))


@pytest.mark.parametrize("line", ["import duckdb", "from retention import build", "import pandas as pd"])
def test_a_heavy_import_at_the_top_of_a_dag_file_is_noticed(broken_dags, tmp_path, line):
    path = broken_dags / "extract_crm.py"
    path.write_text(path.read_text() + f"\n{line}\n")
    assert HEAVY & set(read(broken_dags, tmp_path, "--imports"))


def test_a_folder_without_dags_is_an_error_and_not_an_empty_success(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AssertionError, match="no DAG in"):
        read(tmp_path / "empty", tmp_path)


def test_airflow_itself_reads_the_folder_without_errors(tmp_path):
    script = (
        "import sys, json\n"
        "from airflow.dag_processing.dagbag import BundleDagBag\n"
        f"bag = BundleDagBag({str(DAGS)!r}, bundle_path={str(DAGS)!r}, bundle_name='dags-folder')\n"
        "print(json.dumps([bag.import_errors, sorted(bag.dags)]))\n"
    )
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "RETENTION_HOME": str(tmp_path),
    }
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    errors, names = json.loads(result.stdout.strip().splitlines()[-1])
    assert errors == {}
    assert names == sorted(json.loads(GRAPH.read_text()))
