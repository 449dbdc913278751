"""Harm: an installation whose disk is full, whose secrets anybody can read or whose landing zone is damaged would be
found out when a number is wrong or gone."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from retention import doctor
from retention.cli import app
from retention.dashboards import DashboardsError
from retention.doctor import examine
from retention.findings import Finding, Level
from retention.settings import Settings, load_settings
from tests.publish.company import AS_OF, copy_home


def found(settings: Settings) -> dict[str, str]:
    """Subject -> level and text, the worst of each subject."""
    order = list(Level)
    findings = sorted(examine(settings), key=lambda finding: order.index(finding.level))
    return {finding.subject: f"{finding.level}: {finding.text}" for finding in findings}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return copy_home(tmp_path / "home")


def test_a_home_that_has_published_is_healthy_and_stays_as_it_is(settings):
    before = {path: path.lstat().st_mtime_ns for path in settings.home.rglob("*")}
    findings = found(settings)
    assert {text.partition(":")[0] for text in findings.values()} == {"ok", "look"}, findings
    assert findings["published"].startswith("ok: build 2")
    assert f"data up to {AS_OF}" in findings["published"]
    assert findings["files"] == f"ok: complete for every day before {AS_OF}"
    assert {path: path.lstat().st_mtime_ns for path in settings.home.rglob("*")} == before


def test_an_empty_home_says_what_comes_first(tmp_path):
    findings = found(load_settings(tmp_path / "home", sources=["files"], files_dir=tmp_path))
    assert "the first `retention run` makes it" in findings["home"]
    assert "retention extract --source files" in findings["files"]
    assert not (tmp_path / "home").exists()


def test_each_fault_is_found_by_the_look_that_is_for_it(settings, monkeypatch):
    secrets = settings.home / "retention.env"
    secrets.write_text("RETENTION_KEEP_BUILDS=5\n")
    secrets.chmod(0o644)
    part = next(settings.landing.rglob("part-0.parquet"))
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    settings.published_file.resolve().unlink()
    monkeypatch.setattr(doctor, "NO_ROOM", 10**18)
    broken = settings.model_copy(update={"vars": {"laps_days": 60}, "superset_url": "http://127.0.0.1:1"})
    findings = found(broken)
    assert "wrong: others may read" in findings["permissions"]
    assert "retention.env" in findings["permissions"]
    assert findings["landing zone"].startswith(f"wrong: {part} does not have the checksum")
    assert "points at a build that is gone" in findings["published"]
    assert "the next build will not fit" in findings["disk"]
    assert findings["settings"].startswith("wrong: Unknown variable laps_days")
    assert findings["Superset"].startswith("wrong: Superset is not configured")


def test_a_program_that_is_missing_is_named(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "PACKAGES", (*doctor.PACKAGES, "no-such-package"))
    monkeypatch.setattr(doctor.sys, "executable", str(tmp_path / "bin" / "python"))
    findings = found(settings)
    assert findings["programs"].startswith("wrong: not installed: no-such-package. `make venvs`")
    assert findings["dbt"].startswith(f"wrong: it does not start: {tmp_path / 'bin' / 'dbt'} is not there")
    assert findings["DuckDB"].startswith("ok: ")


def test_an_extension_of_duckdb_that_is_missing_is_named(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb_extension_mysql_scanner", None)
    with pytest.raises(RuntimeError, match="duckdb-extension-mysql-scanner is not installed: `make venvs`"):
        list(doctor._programs(settings))


def test_a_mistake_in_a_mapping_file_is_found_before_a_run_stumbles_over_it(settings, tmp_path):
    (tmp_path / "shop.yml").write_text("entities:\n  paymints:\n    query: select 1\n")
    findings = found(settings.model_copy(update={"sources": ["shop"], "sources_dir": tmp_path}))
    assert f"wrong: {tmp_path / 'shop.yml'}:2: entities.paymints: there is no such entity" in findings["sources"]


def test_a_mistake_in_a_suite_of_expectations_is_found_before_a_run_stumbles_over_it(settings, tmp_path, monkeypatch):
    (tmp_path / "landing_clients.yml").write_text("table: nothing\n")
    monkeypatch.setattr(Settings, "expectations", tmp_path)
    findings = found(settings)
    assert findings["expectations"].startswith("wrong: ")
    assert "landing_clients.yml" in findings["expectations"]


def test_whether_anybody_is_told_of_a_failure_is_said(settings):
    assert found(settings)["alerts"] == "look: nobody is told of a failed DAG: set RETENTION_NOTIFY (dags/README.md)"
    told = settings.model_copy(update={"notify": ["email:ops@example.org", "email:lead@example.org"]})
    assert found(told)["alerts"] == "ok: failures are told by email"


def test_a_superset_that_is_not_there_is_told_with_its_address(settings):
    configured = {"superset_url": "http://127.0.0.1:1", "superset_user": "admin", "superset_password": "hunter2"}
    with pytest.raises(DashboardsError, match=r"does not answer at http://127\.0\.0\.1:1") as told:
        list(doctor._superset(load_settings(settings.home, sources=["files"], **configured)))
    assert "hunter2" not in str(told.value)


def test_a_build_that_is_going_on_is_named(settings):
    hold = (
        "import sys, time; from retention.lock import writer_lock; from retention.settings import load_settings\n"
        "with writer_lock(load_settings(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold, str(settings.home)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        (busy,) = doctor._build(settings)
        assert f"process {holder.pid}" in busy.text
    finally:
        holder.kill()
        holder.wait()
    assert [finding.text for finding in doctor._build(settings)] == ["nobody is building now"]


def test_the_command_fails_only_when_something_is_wrong(settings, monkeypatch):
    for level, status in ((Level.GOOD, 0), (Level.WARNING, 0), (Level.WRONG, 1)):
        monkeypatch.setattr("retention.cli.examine", lambda _, level=level: [Finding(level, "disk", "[as it is]")])
        result = CliRunner().invoke(app, ["doctor", "--home", str(settings.home)])
        assert result.exit_code == status
        assert "[as it is]" in result.output
