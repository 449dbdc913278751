"""Starts long-running processes in a session of their own, and later stops exactly those and their children.

A pid alone is not proof: after a reboot it may belong to somebody else. So the file `<run>/<name>.pid` also holds the
time at which the process was started, and only a process with that pid *and* that time counts as ours. Children are
found by their kernel session, which they keep even when the process that started them was killed.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


class LocalError(Exception):
    """Something a person has to put right; the text says what and how."""


@dataclass(frozen=True)
class Started:
    """What the pid file of a component says."""

    name: str
    pid: int
    started: float


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    run: Path,
    log: Path,
    environment: Mapping[str, str],
    directory: Path,
    user: Mapping[str, object] | None = None,
) -> bool:
    """Start a component unless it runs already; return whether it was started now. Output is appended to `log`."""
    if alive(run, name):
        return False
    stop(run, name)  # children that outlived a killed parent would hold its ports and locks
    run.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
            **(user or {}),  # type: ignore[call-overload]
        )
    note = {"name": name, "pid": process.pid, "started": psutil.Process(process.pid).create_time()}
    temporary = run / f".{name}.pid.{os.getpid()}"
    temporary.write_text(json.dumps(note))
    temporary.replace(run / f"{name}.pid")
    return True


def recorded(run: Path, name: str) -> Started | None:
    """Return what the pid file says, or None without a (readable) one."""
    try:
        note = json.loads((run / f"{name}.pid").read_text())
        return Started(name, int(note["pid"]), float(note["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def alive(run: Path, name: str) -> bool:
    """Whether the very process that was started under this name still runs."""
    known = recorded(run, name)
    return known is not None and _leader(known) is not None


def names(run: Path) -> list[str]:
    """Names of all components that have a pid file."""
    return sorted(path.stem for path in run.glob("*.pid")) if run.is_dir() else []


def stop(run: Path, name: str, *, first: signal.Signals = signal.SIGTERM, patience: float = 20) -> bool:
    """Stop a component and its children: politely first, by force after `patience` seconds. Return whether any ran."""
    known = recorded(run, name)
    members = _members(known) if known else []
    if known and members:
        leader = _leader(known)
        # The leader first, alone: it knows best how to end its children.
        _signal([leader] if leader else members, first)
        _, left = psutil.wait_procs(members, timeout=patience)
        _signal(left, signal.SIGTERM)
        _, left = psutil.wait_procs(left, timeout=5)
        left = [process for process in {*left, *_members(known)} if process.is_running()]
        _signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=5)
    (run / f"{name}.pid").unlink(missing_ok=True)
    return bool(members)


def wait_until(
    ready: Callable[[], bool],
    what: str,
    *,
    run: Path | None = None,
    name: str = "",
    log: Path | None = None,
    seconds: float,
) -> None:
    """Wait until `ready()`; raise LocalError with the end of the log when the component dies or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        # First of all, so that a stranger who answers on the port is not taken for a component that has died.
        if run is not None and not alive(run, name):
            raise LocalError(f"{what} stopped while starting. The end of {log}:\n{tail(log)}")
        if ready():
            return
        if time.monotonic() > deadline:
            raise LocalError(f"{what} did not answer within {seconds:.0f} s. The end of {log}:\n{tail(log)}")
        time.sleep(0.2)


def tail(log: Path | None, lines: int = 15) -> str:
    """Return the last lines of a log, indented; empty without one."""
    if log is None or not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(preferred: int, taken: Sequence[int] = ()) -> int:
    """Return the preferred port, or the next one above it that nobody listens on."""
    for port in range(preferred, min(preferred + 200, 65_536)):
        if port not in taken and port_is_free(port):
            return port
    raise LocalError(f"no free port between {preferred} and {preferred + 199}")


def port_holder(port: int) -> str:
    """Say who listens on a port, as far as we may know: ` (held by …)` or nothing."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    break
                return f" (held by {psutil.Process(connection.pid).name()}, process {connection.pid})"
    return ""


def _leader(known: Started) -> psutil.Process | None:
    try:
        process = psutil.Process(known.pid)
        same = abs(process.create_time() - known.started) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _members(known: Started) -> list[psutil.Process]:
    """All living processes of the session that the recorded process opened, and children that left the session."""
    if psutil.pid_exists(known.pid) and _leader(known) is None and not _is_zombie(known.pid):
        return []  # the number was given to somebody else
    leader = _leader(known)
    members = set(leader.children(recursive=True)) if leader else set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            in_session = os.getsid(process.pid) == known.pid and process.create_time() >= known.started - 1
            if in_session and process.status() != psutil.STATUS_ZOMBIE:
                members.add(process)
    return list(members)


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(members: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in members:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
