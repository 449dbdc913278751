"""Brings the services of a stack up side by side, and down again."""

import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
from psycopg import sql

from local import airflow, postgres, processes, superset
from local.processes import LocalError
from local.stack import CHECKOUT, PIPELINE_BIN, Stack

BITRIX24 = "bitrix24"
COMPONENTS = (postgres.NAME, BITRIX24, airflow.API, airflow.PROCESSOR, airflow.SCHEDULER, superset.NAME)
Say = Callable[[str], None]


def clock() -> Say:
    """Return a function that prints a line with the seconds since now before it."""
    begin = time.monotonic()

    def say(text: str) -> None:
        # One write, so that lines of services that start side by side do not run into each other.
        sys.stdout.write(f"{time.monotonic() - begin:6.1f} s  {text}\n")
        sys.stdout.flush()

    return say


def up(stack: Stack, say: Say, *, demo: bool = False, clients: int | None = None) -> None:
    """Start everything that does not run yet. With `demo` the demo company is made first, once."""
    for remark in stack.prepare(demo=demo):
        say(remark)
    if not all(map(stack.alive, components(stack))):
        say(f"starting in {stack.home}")
    server = postgres.Server(stack.port("postgres"), stack.values["LOCAL_POSTGRES_PASSWORD"])
    if postgres.start(stack.home / "postgres", server, run=stack.run, log=stack.log(postgres.NAME)):
        say(f"PostgreSQL answers on port {server.port}")
    _databases(stack, server)
    with ThreadPoolExecutor(max_workers=3) as pool:
        dashboards = pool.submit(_superset_up, stack, say)
        needed = [pool.submit(_airflow_up, stack, say)]
        if stack.is_demo:
            needed.append(pool.submit(_company_up, stack, server, say, clients))
        errors = [error for branch in needed if (error := branch.exception())]
        # The scheduler's first runs must find the source systems ready; Superset may still be preparing beside them.
        if not errors and not stack.alive(airflow.SCHEDULER):
            airflow.start_scheduler(stack)
            say("Airflow's scheduler is started")
        if error := dashboards.exception():
            errors.append(error)
    for error in errors[1:]:
        say(f"also: {error}")
    if errors:
        raise errors[0]


def stop(stack: Stack, say: Say) -> None:
    """Stop what this stack started, and nothing else."""
    users = [name for name in processes.names(stack.run) if name != postgres.NAME]
    with ThreadPoolExecutor(max_workers=8) as pool:
        ran = list(pool.map(partial(processes.stop, stack.run), users))
    stopped = list(itertools.compress(users, ran))
    # The database last: the others write to it until they end.
    if postgres.stop(stack.run):
        stopped.append(postgres.NAME)
    say(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


def components(stack: Stack) -> list[str]:
    """Names of the processes that this stack consists of."""
    return [name for name in COMPONENTS if name != BITRIX24 or stack.is_demo]


def _databases(stack: Stack, server: postgres.Server) -> None:
    for name in ("airflow", "superset"):
        postgres.ensure_role(server, name, stack.values[f"LOCAL_{name.upper()}_DATABASE_PASSWORD"])
        postgres.ensure_database(server, name, name)


def _airflow_up(stack: Stack, say: Say) -> None:
    if not stack.alive(airflow.API):
        say("Airflow: preparing its metadata")
        airflow.prepare(stack)
    airflow.start_server(stack)
    airflow.wait(stack)
    say(f"Airflow answers on {stack.address('airflow')}")


def _superset_up(stack: Stack, say: Say) -> None:
    if not stack.alive(superset.NAME):
        say("Superset: preparing its metadata")
        superset.prepare(stack)
        superset.start(stack)
    superset.wait(stack)
    say(f"Superset answers on {stack.address('superset')}")


def _company_up(stack: Stack, server: postgres.Server, say: Say, clients: int | None) -> None:
    if stack.values.get("LOCAL_DEMO_LOADED") != "1":
        for database in ("billing", "znuny"):
            _fresh_source(stack, server, database)
        say("the demo company: living through its years")
        _demo(stack, "generate", *(["--clients", str(clients)] if clients else []))
        say("the demo company: filling its billing and help-desk databases")
        _demo(stack, "load")
        stack.set(LOCAL_DEMO_LOADED="1")
    log = stack.log(BITRIX24)
    command = [PIPELINE_BIN / "python", "-m", "demo", "serve-bitrix24"]
    processes.start(BITRIX24, command, run=stack.run, log=log, environment=demo_environment(stack), directory=CHECKOUT)
    processes.wait_until(
        lambda: not processes.port_is_free(stack.port(BITRIX24)),
        "the demo's Bitrix24", run=stack.run, name=BITRIX24, log=log, seconds=120,
    )  # fmt: skip
    say("the demo company: its Bitrix24 answers")


def _fresh_source(stack: Stack, server: postgres.Server, database: str) -> None:
    """Make an empty source database with its owner and reader; a half-filled one of an interrupted start is dropped."""
    for role in ("owner", "reader"):
        name = f"{database}_{role}"
        postgres.ensure_role(server, name, stack.values[f"LOCAL_{name.upper()}_PASSWORD"])
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))
    postgres.ensure_database(server, database, f"{database}_owner", [f"{database}_reader"])


def demo_environment(stack: Stack) -> dict[str, str]:
    """The demo company writes to its systems as their owner; the pipeline only ever sees the readers."""
    return stack.environment(
        DEMO_BILLING_URL=stack.database_url("billing", "owner"),
        DEMO_ZNUNY_URL=stack.database_url("znuny", "owner"),
        DEMO_BITRIX24_URL=stack.values["RETENTION_BITRIX24_URL"],
    )


def _demo(stack: Stack, *arguments: str) -> None:
    result = subprocess.run(
        [PIPELINE_BIN / "python", "-m", "demo", *arguments],
        env=demo_environment(stack), cwd=CHECKOUT, capture_output=True, text=True,
    )  # fmt: skip
    with stack.log("demo").open("a") as file:
        file.write(f"$ demo {' '.join(arguments)}\n{result.stdout}{result.stderr}\n")
    if result.returncode:
        raise LocalError(
            f"`python -m demo {' '.join(arguments)}` failed. The end of {stack.log('demo')}:\n"
            f"{processes.tail(stack.log('demo'))}"
        )
