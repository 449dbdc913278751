"""Airflow on one machine: its settings as environment, its three components, and the few calls of its API we need."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from typing import Any

from local import processes
from local.processes import LocalError
from local.stack import CHECKOUT, HOST, PIPELINE_BIN, Stack

USER = "admin"
API, SCHEDULER, PROCESSOR = "airflow-api", "airflow-scheduler", "airflow-dag-processor"


def environment(stack: Stack) -> dict[str, str]:
    """Everything Airflow is told; there is no airflow.cfg to edit."""
    secrets = stack.values
    home = stack.home / "airflow"
    database = f"airflow:{secrets['LOCAL_AIRFLOW_DATABASE_PASSWORD']}@{HOST}:{stack.port('postgres')}/airflow"
    options = {
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__FERNET_KEY": secrets["LOCAL_AIRFLOW_FERNET_KEY"],
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "CORE__EXECUTION_API_SERVER_URL": f"{stack.address('airflow')}/execution/",
        "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{database}",
        "DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "API__HOST": HOST,
        "API__PORT": str(stack.port("airflow")),
        "API__BASE_URL": stack.address("airflow"),
        "API__WORKERS": "1",
        "API__SECRET_KEY": secrets["LOCAL_AIRFLOW_SECRET_KEY"],
        "API_AUTH__JWT_SECRET": secrets["LOCAL_AIRFLOW_JWT_SECRET"],
        "LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "LOGGING__COLORED_CONSOLE_LOG": "False",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "20",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "120",
        "DAG_PROCESSOR__DAGBAG_IMPORT_TIMEOUT": "60",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return stack.environment(AIRFLOW_HOME=str(home), **{f"AIRFLOW__{name}": value for name, value in options.items()})


def prepare(stack: Stack) -> None:
    """Bring the metadata database up to date and make the pools. Repeating it changes nothing."""
    home = stack.home / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    passwords = home / "passwords.json"
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({USER: stack.values["LOCAL_AIRFLOW_PASSWORD"]}) + "\n")
    _airflow(stack, "db", "migrate")
    _airflow(stack, "pools", "import", str(CHECKOUT / "dags" / "pools.json"))


def start_server(stack: Stack) -> None:
    """Start the API server with the web UI, and what reads the DAG files."""
    _start(stack, API, "api-server", "--host", HOST, "--port", str(stack.port("airflow")), "--workers", "1")
    _start(stack, PROCESSOR, "dag-processor")


def start_scheduler(stack: Stack) -> None:
    """Start the scheduler with its executor. Task logs are read from disk, so it serves none."""
    _start(stack, SCHEDULER, "scheduler", "--skip-serve-logs")


def wait(stack: Stack) -> None:
    """Wait until the web UI answers."""
    processes.wait_until(
        lambda: _healthy(stack), "Airflow's API server", run=stack.run, name=API, log=stack.log(API), seconds=180
    )


class Client:
    """Airflow's REST API, logged in as the administrator."""

    def __init__(self, stack: Stack) -> None:
        self.base = stack.address("airflow")
        login = {"username": USER, "password": stack.values["LOCAL_AIRFLOW_PASSWORD"]}
        self.token = ""
        self.token = self.call("POST", "/auth/token", login)["access_token"]

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send JSON, return JSON. Raises urllib.error.HTTPError on a refusal."""
        request = urllib.request.Request(
            self.base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def dag_ids(self) -> set[str]:
        return {dag["dag_id"] for dag in self.call("GET", "/api/v2/dags?limit=100")["dags"]}

    def import_errors(self) -> list[dict[str, Any]]:
        return self.call("GET", "/api/v2/importErrors")["import_errors"]

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run by hand and return its id."""
        return self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf or {}})[
            "dag_run_id"
        ]

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The runs of a DAG, newest first."""
        return self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=-run_after&limit=100")["dag_runs"]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        return self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=100")["task_instances"]

    def task_log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """The log of one attempt of a task, one event a line."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}?full_content=true"
        content = self.call("GET", path)["content"]
        return "\n".join(_log_line(entry) for entry in content)


def _log_line(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    details = [f"{error.get('exc_type')}: {error.get('exc_value')}" for error in entry.get("error_detail") or []]
    return " ".join([str(entry.get("event", "")), *details])


def _airflow(stack: Stack, *arguments: str) -> None:
    command = [str(PIPELINE_BIN / "python"), "-m", "airflow", *arguments]
    result = subprocess.run(
        command, env=environment(stack), cwd=CHECKOUT, capture_output=True, text=True, errors="replace"
    )
    log = stack.log("airflow-setup")
    with log.open("a") as file:
        file.write(f"$ airflow {' '.join(arguments)}\n{result.stdout}{result.stderr}\n")
    if result.returncode:
        raise LocalError(f"`airflow {' '.join(arguments)}` failed. The end of {log}:\n{processes.tail(log)}")


def _start(stack: Stack, name: str, *arguments: str) -> None:
    processes.start(
        name,
        [PIPELINE_BIN / "python", "-m", "airflow", *arguments],
        run=stack.run,
        log=stack.log(name),
        environment=environment(stack),
        directory=CHECKOUT,
    )


def _healthy(stack: Stack) -> bool:
    try:
        with urllib.request.urlopen(stack.address("airflow") + "/api/v2/monitor/health", timeout=5) as answer:
            return json.load(answer)["metadatabase"]["status"] == "healthy"
    except (OSError, ValueError, KeyError, urllib.error.URLError):
        return False


def run_by_hand(stack: Stack, arguments: list[str]) -> None:
    """Replace this process by `airflow …` with the stack's settings: for looking and repairing by hand."""
    os.execve(PIPELINE_BIN / "python", ["python", "-m", "airflow", *arguments], environment(stack))
