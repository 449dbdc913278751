"""The commands behind the Makefile."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from local import airflow, company, services
from local.processes import LocalError
from local.stack import CHECKOUT, Stack

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)


def _stack() -> Stack:
    return Stack(Path(os.environ.get("RETENTION_HOME") or CHECKOUT / "var"))


@app.command()
def demo(
    clients: Annotated[int | None, typer.Option(help="Size of the demo company; only counts the first time.")] = None,
) -> None:
    """Everything, from nothing to numbers on a dashboard. Repeating it is harmless."""
    stack = _stack()
    with stack.lock():
        company.demo(stack, services.clock(), clients)


@app.command()
def up() -> None:
    """Start PostgreSQL, Airflow and Superset with this home's own settings."""
    stack = _stack()
    with stack.lock():
        services.up(stack, services.clock())
    print(company.addresses(stack))


@app.command()
def stop() -> None:
    """Stop what `demo` or `up` started for this home, and nothing else."""
    stack = _stack()
    if not stack.run.is_dir():
        print("nothing was running")
        return
    with stack.lock():
        services.stop(stack, services.clock())


@app.command()
def status() -> None:
    """Say what runs and which build is published."""
    stack = _stack()
    print(company.status(stack))
    if stack.alive(airflow.API):
        print(company.addresses(stack))


@app.command()
def passwords() -> None:
    """Show the passwords of the web pages. They are shown by this command only."""
    stack = _stack()
    if "LOCAL_AIRFLOW_PASSWORD" not in stack.values:
        raise LocalError("nothing has been started in this home yet: make demo, or make up")
    print(f"Superset  {stack.address('superset')}   admin   {stack.values['RETENTION_SUPERSET_PASSWORD']}")
    print(f"Airflow   {stack.address('airflow')}   admin   {stack.values['LOCAL_AIRFLOW_PASSWORD']}")


@app.command()
def logs(follow: Annotated[bool, typer.Option("--follow", "-f")] = False) -> None:
    """Show the end of every component's log."""
    files = sorted((_stack().home / "logs").glob("*.log"))
    if not files:
        raise LocalError("there are no logs yet: nothing has been started in this home")
    subprocess.run(["tail", "-n", "20", *(["-F"] if follow else []), "--", *map(str, files)], check=False)


@app.command()
def clean(
    yes: Annotated[bool, typer.Option("--yes", help="Also when the home holds real data, not the demo's.")] = False,
) -> None:
    """Stop everything and delete the home: landing zone, builds, databases, secrets. Virtualenvs stay."""
    stack = _stack()
    if not stack.home.exists():
        return
    if not stack.env_file.exists() and any(stack.home.iterdir()):
        raise LocalError(f"{stack.home} was not made by this program (no retention.env in it): delete it yourself")
    if not stack.is_demo and any((stack.home / "landing").glob("*")) and not yes:
        raise LocalError(
            f"{stack.home} holds landed data that is not the demo's. "
            "To delete it all the same: .venvs/pipeline/bin/python -m local clean --yes"
        )
    if stack.run.is_dir():
        with stack.lock():
            services.stop(stack, services.clock())
    shutil.rmtree(stack.home)
    print(f"deleted {stack.home}")


@app.command("airflow", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def airflow_command(context: typer.Context) -> None:
    """Run any `airflow …` command against this home's Airflow."""
    airflow.run_by_hand(_stack(), context.args)


def main() -> None:
    try:
        app()
    except LocalError as error:
        sys.exit(f"\nerror: {error}")
    except KeyboardInterrupt:
        sys.exit(
            "\ninterrupted. What was started goes on running; `make demo` goes on from here, `make stop` stops it."
        )
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit("\nerror: the disk is full. Make room, then run the same command again: it goes on from here.")


if __name__ == "__main__":
    main()
