"""Harm prevented: `make stop` that kills somebody else's process, or leaves children of its own behind."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from local import processes
from local.processes import LocalError

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)\n",
]


@pytest.fixture
def start(tmp_path):
    def call(name, command):
        return processes.start(
            name, command, run=tmp_path, log=tmp_path / f"{name}.log", environment=os.environ, directory=tmp_path
        )

    yield call
    for name in processes.names(tmp_path):
        processes.stop(tmp_path, name, patience=1)


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_second_start_leaves_the_first_process_alone(start, tmp_path):
    assert start("sleeper", SLEEPER)
    first = processes.recorded(tmp_path, "sleeper")
    assert not start("sleeper", SLEEPER)
    assert processes.recorded(tmp_path, "sleeper") == first


def test_stop_ends_the_process_and_forgets_it(start, tmp_path):
    start("sleeper", SLEEPER)
    pid = processes.recorded(tmp_path, "sleeper").pid
    assert processes.stop(tmp_path, "sleeper")
    assert not processes.alive(tmp_path, "sleeper")
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert not processes.stop(tmp_path, "sleeper")


def test_a_pid_that_now_belongs_to_somebody_else_is_not_touched(tmp_path):
    stranger = subprocess.Popen(SLEEPER, start_new_session=True)
    try:
        started = psutil.Process(stranger.pid).create_time() - 3600
        note = {"name": "old", "pid": stranger.pid, "started": started}
        (tmp_path / "old.pid").write_text(json.dumps(note))
        assert not processes.alive(tmp_path, "old")
        assert not processes.stop(tmp_path, "old")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_children_of_a_killed_parent_are_stopped_too(start, tmp_path):
    start("parent", PARENT)
    log = tmp_path / "parent.log"
    wait_for(lambda: log.read_text().strip().isdigit())
    child = psutil.Process(int(log.read_text()))
    psutil.Process(processes.recorded(tmp_path, "parent").pid).kill()
    wait_for(lambda: not processes.alive(tmp_path, "parent"))
    assert child.is_running()
    assert processes.stop(tmp_path, "parent")
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_process_that_ignores_the_polite_signal_is_stopped_by_force(start, tmp_path):
    start("stubborn", [sys.executable, "-c", STUBBORN])
    wait_for(lambda: "ready" in (tmp_path / "stubborn.log").read_text())
    assert processes.stop(tmp_path, "stubborn", patience=0.5)
    assert not processes.alive(tmp_path, "stubborn")


STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(600)\n"
)


def test_a_process_that_dies_at_its_start_is_reported_with_the_end_of_its_log(start, tmp_path):
    start("dying", [sys.executable, "-c", "raise SystemExit('the port is taken')"])
    with pytest.raises(LocalError, match="the port is taken"):
        processes.wait_until(lambda: False, "It", run=tmp_path, name="dying", log=tmp_path / "dying.log", seconds=20)


def test_an_unreadable_pid_file_counts_as_nothing_started(tmp_path):
    (tmp_path / "torn.pid").write_text('{"pid": 12')
    assert processes.recorded(tmp_path, "torn") is None
    assert not processes.stop(tmp_path, "torn")
