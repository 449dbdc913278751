"""Harm prevented: a killed run that has to be cleaned up by hand, or one that publishes the same thing every hour."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from retention import pipeline, publish
from retention.build import Build, BuildError, current_build, prepare, run_dbt
from retention.cli import app
from retention.dashboards import read_marts
from retention.quality import GateError
from retention.settings import Settings, load_settings
from tests.publish.company import AS_OF, clients, contracts, copy_home, write_company, write_csv
from tests.unit.processes import is_running, wait_for


def silent(text: str) -> None:
    """Progress that nobody reads."""


def rows(settings: Settings, query: str) -> list[tuple]:
    with duckdb.connect(str(settings.published_file), read_only=True) as connection:
        return connection.execute(query).fetchall()


def break_contracts(settings: Settings, number: int) -> None:
    """Give some contracts a negative price."""
    assert settings.files_dir
    written = contracts()
    for row in written[:number]:
        row["price"] = "-5.00"
    write_csv(settings.files_dir / "contracts.csv", written)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return copy_home(tmp_path_factory.mktemp("runs") / "home")


def test_clients_and_contracts_are_enough_and_the_other_marts_are_empty_with_their_columns(settings: Settings) -> None:
    marts = dict(rows(settings, "select table_name, estimated_size from duckdb_tables() where schema_name = 'marts'"))
    assert marts["dim_clients"] == 40
    assert marts["fct_spells"] == 45
    assert marts["dim_employees"] == 0
    described = read_marts(settings.dbt_project)
    assert described.keys() == marts.keys()
    for name, mart in described.items():
        columns = {column["column_name"] for column in mart.columns}
        assert {row[0] for row in rows(settings, f"describe marts.{name}")} == columns, name
    assert rows(settings, "select count(*) from marts.fct_releases where returned_on is not null") == [(5,)]
    (comment,) = rows(settings, "select comment from duckdb_columns() where table_name = 'fct_spells' limit 1")
    assert comment


def test_a_second_run_without_new_data_changes_and_publishes_nothing(settings: Settings) -> None:
    before = {path: path.stat().st_mtime_ns for path in settings.published.iterdir()}
    said: list[str] = []
    result = pipeline.run(settings, said.append)
    assert not result.is_new
    assert any(f"nothing new since build {result.published.build_id}" in line for line in said)
    assert {path: path.stat().st_mtime_ns for path in settings.published.iterdir()} == before


def test_another_clock_or_variable_is_something_new(settings: Settings) -> None:
    from retention.build import fingerprint

    same = fingerprint(settings, AS_OF)
    assert fingerprint(settings, AS_OF) == same
    assert fingerprint(settings, AS_OF.replace(day=2)) != same
    changed = settings.model_copy(update={"vars": {"lapse_days": 60}})
    assert fingerprint(changed, AS_OF) != same


def test_a_company_calendar_of_events_replaces_the_projects(settings: Settings, tmp_path: Path) -> None:
    from retention.build import fingerprint, seed_files

    folder = write_company(tmp_path / "files", 4)
    (folder / "seeds").mkdir()
    own = folder / "seeds" / "dated_events.csv"
    shutil.copy(settings.dbt_project / "seeds" / "dated_events.csv", own)
    own.write_text(own.read_text() + "2024-01-01,Something of our own\n")
    changed = settings.model_copy(update={"files_dir": folder})
    assert seed_files(changed)["dated_events.csv"] == own
    assert fingerprint(changed, AS_OF) != fingerprint(settings, AS_OF)


def test_too_many_broken_rows_close_the_gate_and_the_limit_can_be_moved(tmp_path: Path) -> None:
    settings = copy_home(tmp_path / "home")
    break_contracts(settings, 3)
    before = publish.current_id(settings)
    with pytest.raises(GateError) as closed:
        pipeline.run(settings, silent)
    message = str(closed.value)
    assert "nothing was published" in message
    assert "contracts: negative_price 3 from files, for example K000" in message
    assert "rows_quarantined 3, rows_landed 45" in message
    assert publish.current_id(settings) == before

    arguments = ["run", "--files", settings.files_dir, "--as-of", AS_OF, "--home", settings.home]
    result = CliRunner().invoke(app, [*map(str, arguments), "--set", "quarantine_limit=0.5"])
    assert result.exit_code == 0, result.output
    assert publish.current_id(settings) != before
    health = (
        "select rows_landed, rows_in_warehouse, rows_quarantined from marts.pipeline_health where entity = 'contracts'"
    )
    # The versions from before they were broken are valid, and stay.
    assert rows(settings, health) == [(45, 45, 3)]
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        quarantined = connection.execute("select source, rule, row_json from quarantine.contracts").fetchall()
    assert {row[:2] for row in quarantined} == {("files", "negative_price")}
    assert json.loads(quarantined[0][2])["price"] == "-5.00"


def test_check_lists_broken_rows_and_publishes_nothing(tmp_path: Path) -> None:
    folder = write_company(tmp_path / "files")
    broken = clients()
    broken[3]["registered_at"] = "yesterday"
    write_csv(folder / "clients.csv", broken)
    result = CliRunner().invoke(app, ["check", "--files", str(folder)])
    assert result.exit_code == 1
    for told in ("clients.csv", "5", "registered_at", "unreadable_value", "yesterday", "Faults: 1, of 1 kinds"):
        assert told in result.output
    assert list(tmp_path.iterdir()) == [folder]


def test_a_failing_model_is_named_with_its_file_and_message(settings: Settings, tmp_path: Path) -> None:
    home = copy_home(tmp_path / "home")
    prepare(home)
    with duckdb.connect(str(home.build_file)) as connection:
        # The landing view of clients loses a column that the model reads.
        connection.execute("create or replace view landing.files__clients as select 1 as id")
    with pytest.raises(BuildError, match=r"stage check at .*clients.*\(models/staging/.*\.sql\)"):
        run_dbt(home, "check")


def test_a_step_of_an_earlier_build_is_refused_once_another_has_begun(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, sources=["files"])
    settings.build_dir.mkdir(parents=True)
    Build("20250101T000000000002Z", "2025-01-01", "f", {}).save(settings)
    with pytest.raises(BuildError, match="another run has started"):
        current_build(settings, "20250101T000000000001Z")


# Where the run is killed, as a change of one function; the stages come in the order of a run, so that each later one
# shows that the run after the kill before got further.
# (tests/publish/test_publish.py kills at seven points of publishing.)
KILLS = {
    "extraction": "from retention import landing_writer\nlanding_writer._finish = die",
    "landing gate": "from retention import quality\nquality.run_suites = die",
    "dbt": (
        "import subprocess, threading, time\n"
        "class Child(subprocess.Popen):\n"
        "    def communicate(self, *a, **k):\n"
        "        print('child', self.pid, flush=True)\n"
        "        threading.Timer(4, die).start()\n"
        "        return super().communicate(*a, **k)\n"
        "subprocess.Popen = Child"
    ),
    "marts gate": (
        "from retention import quality\nrun = quality.run_suites\n"
        "quality.run_suites = lambda file, suites: die() if suites[0].schema == 'marts' else run(file, suites)"
    ),
}


def test_a_run_killed_in_each_stage_leaves_the_published_build_and_the_next_run_finishes(tmp_path: Path) -> None:
    settings = copy_home(tmp_path / "home")
    assert settings.files_dir
    before = publish.current_id(settings)
    write_csv(settings.files_dir / "clients.csv", clients(39))
    write_csv(settings.files_dir / "contracts.csv", contracts(39))
    for stage, patch in KILLS.items():
        program = (
            "import os, signal, sys\n"
            "from retention import pipeline\n"
            "from retention.settings import load_settings\n"
            "from tests.publish.company import AS_OF\n"
            "def die(*args, **kwargs): os.kill(os.getpid(), signal.SIGKILL)\n"
            f"{patch}\n"
            "home, files = sys.argv[1:]\n"
            "pipeline.run(load_settings(home, sources=['files'], files_dir=files, as_of=AS_OF), print)\n"
        )
        killed = subprocess.run(
            [sys.executable, "-c", program, str(settings.home), str(settings.files_dir)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert killed.returncode == -signal.SIGKILL, f"{stage}: {killed.stderr}"
        for line in killed.stdout.splitlines():
            if line.startswith("child"):
                child = int(line.split()[1])
                # The kernel ends it at once, which takes a moment all the same.
                assert wait_for(lambda: not is_running(child), seconds=5), "dbt outlived the run that started it"  # noqa: B023
        assert publish.current_id(settings) == before, stage
        assert rows(settings, "select count(*) from marts.dim_clients") == [(40,)], stage
    result = pipeline.run(settings, silent)
    assert result.is_new
    assert rows(settings, "select count(*) from marts.dim_clients") == [(39,)]
    assert not [path for path in settings.home.rglob(".tmp*") if "target" not in path.parts]
