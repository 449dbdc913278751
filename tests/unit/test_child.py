"""Harm prevented: dbt that goes on writing after its run was stopped, so that the next run finds the file locked."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.processes import is_running

# Starts a child as a run does, under the command line's handling of SIGTERM.
PARENT = """
import os, signal, sys
from retention import build
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
child = "import os, time; print(os.getpid(), file=open(r'{pid}', 'w')); time.sleep(60)"
build._run_child([sys.executable, "-c", child], dict(os.environ))
"""


def wait_for(condition, seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_the_child_ends_with_the_run_that_started_it(number: signal.Signals, tmp_path: Path) -> None:
    written = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT.format(pid=written)], stderr=subprocess.DEVNULL)
    assert wait_for(lambda: written.exists() and written.read_text().strip() != "")
    child = int(written.read_text())
    assert is_running(child)
    parent.send_signal(number)
    parent.wait(timeout=20)
    assert wait_for(lambda: not is_running(child), seconds=5)
