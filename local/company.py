"""`make demo`: from nothing to published numbers and two open web pages, through the real scheduler."""

import time
import urllib.error
from collections.abc import Callable

from local import airflow, processes, services
from local.processes import LocalError
from local.stack import Stack

EXTRACTIONS = ("extract_crm", "extract_billing", "extract_tickets")
CHAIN = (*EXTRACTIONS, "build_warehouse", "refresh_dashboards")
FINISHED = ("success", "failed")
PATIENCE_SECONDS = 40 * 60


def demo(stack: Stack, say: services.Say, clients: int | None = None) -> None:
    """Bring everything up and stay until a build is published and the dashboards stand; then tell where to look."""
    services.up(stack, say, demo=True, clients=clients)
    client = airflow.Client(stack)
    _run_pipeline(stack, client, say)
    say("ready")
    print()
    print(headline(stack))
    print(addresses(stack))


def addresses(stack: Stack) -> str:
    """Where the web pages are and how to log in; without the passwords."""
    return (
        f"Dashboards (Superset)  {stack.address('superset')}   user admin\n"
        f"Pipeline   (Airflow)   {stack.address('airflow')}   user admin\n"
        f"Passwords: make passwords.   Stop: make stop.   Look around: make status, make logs."
    )


def headline(stack: Stack) -> str:
    """The numbers a director asks for first, from the published marts."""
    from retention.duck import connect
    from retention.settings import load_settings

    settings = load_settings(stack.home)
    with connect(settings.extensions, settings.published_file, read_only=True) as marts:
        month = marts.execute(
            """
            select month, churned_clients, opening_clients, regretted_churned_clients,
                churned_12m, opening_12m, regretted_churned_12m, as_of
            from marts.churn_monthly
            where segment = 'all' and is_final
            order by month desc limit 1
            """
        ).fetchone()
        years = marts.execute(
            """
            select year(month), churned_12m, opening_12m
            from marts.churn_monthly
            where segment = 'all' and month(month) = 12 and opening_12m > 0
            order by month
            """
        ).fetchall()
        returns = marts.execute(
            """
            select returned, mature_releases from marts.return_summary
            where window_days = 365 and dimension = 'all'
            """
        ).fetchone()
        handled = marts.execute(
            """
            select level, returned, mature_releases from marts.return_summary
            where window_days = 365 and dimension = 'handling' order by level
            """
        ).fetchall()
    lines = []
    if month:
        name, churned, opening, regretted, churned_12m, opening_12m, regretted_12m, as_of = month
        lines += [
            f"As of {as_of}",
            f"Churn in {name:%B %Y}           {_share(churned, opening)}",
            f"  without dismissed clients    {_share(regretted, opening)}",
            f"Churn of the trailing year     {_share(churned_12m, opening_12m)}",
            f"  without dismissed clients    {_share(regretted_12m, opening_12m)}",
        ]
    if years:
        lines.append(
            "Churn by calendar year         " + ", ".join(f"{year} {100 * gone / of:.1f} %" for year, gone, of in years)
        )
    if returns:
        lines.append(f"Released, back within a year   {_share(*returns)}")
        lines += [f"  {f'exit handled: {level}':28} {_share(back, of)}" for level, back, of in handled]
    return "\n".join([*lines, ""])


def _share(part: int | None, whole: int | None) -> str:
    if part is None or not whole:
        return "no data yet"
    return f"{100 * part / whole:5.1f} %   ({part:,} of {whole:,})"


def _published(stack: Stack) -> bool:
    return (stack.home / "published" / "retention.duckdb").exists()


def _succeeded(client: airflow.Client, dag_id: str) -> bool:
    return any(run["state"] == "success" for run in client.runs(dag_id))


def _run_pipeline(stack: Stack, client: airflow.Client, say: services.Say) -> None:
    """Let the scheduler do what is missing, and tell of every task until the dashboards stand."""
    say("waiting for Airflow to read the DAGs")
    _until(lambda: _dags_are_read(client), "Airflow to read the DAGs", 180)
    if _published(stack) and _succeeded(client, "refresh_dashboards"):
        return
    earlier = {run["dag_run_id"] for dag_id in CHAIN for run in client.runs(dag_id) if run["state"] in FINISHED}
    # A published build of an earlier start wants its dashboards only.
    for dag_id in ["refresh_dashboards"] if _published(stack) else EXTRACTIONS:
        _ensure_run(client, dag_id, earlier)
    told: dict[tuple[str, str, str], str] = {}

    def dashboards_stand() -> bool:
        for dag_id in CHAIN:
            for run in client.runs(dag_id):
                if run["dag_run_id"] not in earlier:
                    _tell_tasks(stack, client, say, run, told)
        return _succeeded(client, "refresh_dashboards")

    _until(dashboards_stand, "the pipeline to publish", PATIENCE_SECONDS)


def _dags_are_read(client: airflow.Client) -> bool:
    errors = client.import_errors()
    if errors:
        raise LocalError(f"the DAG file {errors[0]['filename']} cannot be read:\n{errors[0]['stack_trace']}")
    return set(CHAIN) <= client.dag_ids()


def _tell_tasks(
    stack: Stack, client: airflow.Client, say: services.Say, run: dict, told: dict[tuple[str, str, str], str]
) -> None:
    """Print what became of each task since the last look; raise LocalError with the reason when one failed."""
    dag_id, run_id = run["dag_id"], run["dag_run_id"]
    for task in client.tasks(dag_id, run_id):
        key, state = (dag_id, run_id, task["task_id"]), task["state"]
        if state is None or told.get(key) == state:
            continue
        told[key] = state
        if state == "success":
            say(f"{dag_id}: {task['task_id']} done in {task['duration'] or 0:.1f} s")
        elif state == "up_for_retry":
            say(f"{dag_id}: {task['task_id']} failed and will be tried again")
        elif state == "failed":
            reason = client.task_log(dag_id, run_id, task["task_id"], task["try_number"])
            raise LocalError(
                f"{dag_id}: {task['task_id']} failed:\n{why(reason)}\n"
                f"The run: {stack.address('airflow')}/dags/{dag_id}/runs/{run_id}"
            )


def _ensure_run(client: airflow.Client, dag_id: str, earlier: set[str]) -> None:
    """See to it that there is a new run: only at its very first start the scheduler makes one by itself."""
    deadline = time.monotonic() + 20
    while not client.runs(dag_id) and time.monotonic() < deadline:
        time.sleep(1)
    if all(run["dag_run_id"] in earlier for run in client.runs(dag_id)):
        client.trigger(dag_id)


def why(log: str) -> str:
    """The part of a failed task's log that says why, indented."""
    lines = [line for line in log.splitlines() if line.strip() and not line.startswith("::")]
    starts = [number for number, line in enumerate(lines) if line.startswith("Task failed with exception")]
    return "\n".join(f"    {line}" for line in (lines[starts[-1] :] if starts else lines[-12:]))


def _until(ready: Callable[[], bool], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if ready():
                return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise
        except (TimeoutError, urllib.error.URLError):
            pass  # a busy machine answers late once in a while; only the deadline is an error
        if time.monotonic() > deadline:
            raise LocalError(
                f"waited {seconds / 60:.0f} minutes for {what}; `make logs` and Airflow's web page tell more"
            )
        time.sleep(1)


def status(stack: Stack) -> str:
    """What runs, where, and which build is published."""
    lines = []
    for name in services.components(stack):
        known = processes.recorded(stack.run, name)
        state = f"running (process {known.pid})" if known and stack.alive(name) else "stopped"
        lines.append(f"{name:24}{state}")
    link = stack.home / "published" / "retention.duckdb"
    build = link.resolve().stem.removeprefix("retention_") if link.exists() else "none"
    lines.append(f"{'published build':24}{build}")
    return "\n".join(lines)
