"""Superset on one machine: prepared once, then served by gunicorn on loopback."""

import hashlib
import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from local import processes
from local.processes import LocalError
from local.stack import BI_BIN, CHECKOUT, HOST, Stack

NAME = "superset"
APPLICATION = "superset.app:create_app()"
ADMIN_SCRIPT = CHECKOUT / "local" / "superset_admin.py"


def environment(stack: Stack) -> dict[str, str]:
    """What dashboards/README.md asks for."""
    password = stack.values["LOCAL_SUPERSET_DATABASE_PASSWORD"]
    environment = stack.environment(
        SUPERSET_CONFIG_PATH=str(CHECKOUT / "dashboards" / "superset_config.py"),
        SUPERSET_DATABASE_URI=f"postgresql+psycopg2://superset:{password}@{HOST}:{stack.port('postgres')}/superset",
        SUPERSET_SECRET_KEY=stack.values["LOCAL_SUPERSET_SECRET_KEY"],
        SUPERSET_HOME=str(stack.home / "superset"),
        SUPERSET_PORT=str(stack.port("superset")),
        FLASK_APP=APPLICATION,
    )
    environment["PATH"] = f"{BI_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return environment


def prepare(stack: Stack) -> None:
    """Make the metadata tables, permissions and the administrator; once for each lock file."""
    folder = stack.home / "superset"
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "prepared"
    mark = _fingerprint(stack)
    if done.exists() and done.read_text() == mark:
        return
    _run(stack, "its tables", BI_BIN / "superset", "db", "upgrade")
    _run(stack, "its permissions", BI_BIN / "superset", "init")
    _run(stack, "its administrator", BI_BIN / "python", "-P", ADMIN_SCRIPT)
    done.write_text(mark)


def start(stack: Stack) -> None:
    """Start the web server; `wait` tells when it answers."""
    command = [
        BI_BIN / "python", "-m", "gunicorn", "--bind", f"{HOST}:{stack.port('superset')}",
        "--workers", "2", "--worker-class", "gthread", "--threads", "8", "--timeout", "120",
        "--worker-tmp-dir", stack.home / "superset", "--no-control-socket", APPLICATION,
    ]  # fmt: skip
    processes.start(
        NAME, command, run=stack.run, log=stack.log(NAME), environment=environment(stack), directory=CHECKOUT
    )


def wait(stack: Stack) -> None:
    """Wait until the web server answers."""
    processes.wait_until(
        lambda: _healthy(stack), "Superset", run=stack.run, name=NAME, log=stack.log(NAME), seconds=180
    )


def _run(stack: Stack, what: str, *command: Path | str) -> None:
    log = stack.log("superset-setup")
    extra = {"SUPERSET_ADMIN_PASSWORD": stack.values["RETENTION_SUPERSET_PASSWORD"]}
    with log.open("ab") as output:
        result = subprocess.run(
            [str(part) for part in command],
            env={**environment(stack), **extra},
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if result.returncode:
        raise LocalError(f"Superset could not prepare {what}. The end of {log}:\n{processes.tail(log)}")


def _healthy(stack: Stack) -> bool:
    try:
        with urllib.request.urlopen(stack.address("superset") + "/health", timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def _fingerprint(stack: Stack) -> str:
    parts = [
        (CHECKOUT / "requirements" / "bi.txt").read_bytes(),
        ADMIN_SCRIPT.read_bytes(),
        stack.values["RETENTION_SUPERSET_PASSWORD"].encode(),
        stack.values["LOCAL_SUPERSET_DATABASE_PASSWORD"].encode(),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
