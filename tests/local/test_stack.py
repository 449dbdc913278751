"""Harm prevented: secrets that others can read, a start that takes a busy port or somebody's data without a word."""

import socket
import stat

import pytest

from local import envfile, processes, stack
from local.processes import LocalError
from local.stack import Stack


@pytest.fixture
def busy_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path):
    first = Stack(tmp_path)
    first.prepare(demo=True)
    assert stat.S_IMODE(first.env_file.stat().st_mode) == 0o600
    secrets = {name: first.values[name] for name in (*stack.SECRETS, *stack.DEMO_SECRETS)}
    assert len(set(secrets.values())) == len(secrets)
    second = Stack(tmp_path)
    second.prepare(demo=True)
    assert {name: second.values[name] for name in secrets} == secrets


def test_what_another_program_wrote_into_the_file_is_kept(tmp_path):
    path = tmp_path / "retention.env"
    envfile.update(path, {"RETENTION_AS_OF": "2026-01-01"})
    envfile.update(path, {"LOCAL_DEMO": "1", "WITH_SPACE": "a b"})
    envfile.update(path, {"LOCAL_DEMO": None})
    assert envfile.read(path) == {"RETENTION_AS_OF": "2026-01-01", "WITH_SPACE": "a b"}


def test_a_port_that_was_asked_for_and_is_busy_is_refused_with_the_way_out(tmp_path, busy_port, monkeypatch):
    monkeypatch.setenv("LOCAL_SUPERSET_PORT", str(busy_port))
    with pytest.raises(
        LocalError, match=rf"port {busy_port} for Superset is busy.*LOCAL_SUPERSET_PORT={busy_port + 1}"
    ):
        Stack(tmp_path).prepare(demo=False)


def test_a_usual_port_that_is_busy_is_replaced_and_said(tmp_path, busy_port, monkeypatch):
    monkeypatch.setitem(stack.PORTS, "airflow", ("Airflow", busy_port))
    home = Stack(tmp_path)
    (remark,) = [text for text in home.prepare(demo=False) if "Airflow" in text]
    assert f"port {busy_port} is busy" in remark
    assert home.port("airflow") > busy_port


def test_the_ports_of_one_stack_differ(tmp_path, monkeypatch):
    free = processes.free_port(41_000)
    for name in stack.PORTS:
        monkeypatch.setitem(stack.PORTS, name, (name, free))
    home = Stack(tmp_path)
    home.prepare(demo=True)
    assert len({home.port(name) for name in stack.PORTS}) == len(stack.PORTS)


def test_the_demo_does_not_move_in_where_real_data_landed(tmp_path):
    (tmp_path / "landing" / "billing").mkdir(parents=True)
    with pytest.raises(LocalError, match="not the demo's"):
        Stack(tmp_path).prepare(demo=True)


def test_too_little_disk_is_said_before_anything_is_started(tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "NEEDED_DISK_BYTES", 2**60)
    with pytest.raises(LocalError, match="GB are free"):
        Stack(tmp_path).prepare(demo=False)


def test_a_second_start_of_the_same_home_waits_its_turn(tmp_path):
    with Stack(tmp_path).lock(), pytest.raises(LocalError, match="under way"), Stack(tmp_path).lock():
        pass


def test_somebody_elses_folder_is_refused_because_clean_would_delete_it(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(LocalError, match="photos"):
        Stack(tmp_path).prepare(demo=True)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_home_that_only_the_command_line_has_used_is_taken(tmp_path):
    (tmp_path / "published").mkdir()
    assert isinstance(Stack(tmp_path).prepare(demo=True), list)


def test_the_demo_never_reads_the_systems_that_the_callers_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("RETENTION_BILLING_URL", "postgresql://production")
    demo = Stack(tmp_path)
    demo.prepare(demo=True)
    assert "RETENTION_BILLING_URL" not in demo.environment()
    assert demo.environment()["RETENTION_HOME"] == str(tmp_path)
    assert demo.values["RETENTION_SOURCES"] == "bitrix24,billing,znuny"
