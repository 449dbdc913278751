"""Harm prevented: dbt that goes on writing after its run was stopped, so that the next run finds the file locked."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.processes import is_running, wait_for

# Starts a child as a run does, under the command line's handling of SIGTERM.
PARENT = """
import os, signal, sys
from retention import build
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
child = "import os, time; print(os.getpid(), file=open(r'{pid}', 'w')); time.sleep(60)"
build._run_child([sys.executable, "-c", child], dict(os.environ))
"""


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
