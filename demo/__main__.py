"""`python -m demo`: make the demo company, fill and run its source systems, let it live on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

import psycopg
import typer

from demo import export as canonical
from demo import plan as plans
from demo import state as states
from demo import truth
from demo.model import DEFAULT_AS_OF, DEFAULT_CLIENTS, DEFAULT_SEED, FIRST_DAY, HORIZON, day_number, midnight, to_date
from demo.systems import billing, postgres, znuny
from demo.systems.bitrix24 import store as bitrix24_store
from demo.systems.bitrix24.server import Bitrix24Server

DEMO_RATE = 20.0

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)

Home = Annotated[Path, typer.Option(envvar="RETENTION_HOME", help="Run-time folder; the demo keeps its own in demo/.")]
BillingUrl = Annotated[str | None, typer.Option(envvar="DEMO_BILLING_URL", help="Billing database, as its owner.")]
ZnunyUrl = Annotated[str | None, typer.Option(envvar="DEMO_ZNUNY_URL", help="Help-desk database, as its owner.")]
DEFAULT_HOME = Path(__file__).resolve().parent.parent / "var"


def _clock() -> Callable[[str], None]:
    begin = time.monotonic()
    return lambda message: typer.echo(f"{time.monotonic() - begin:6.1f} s  {message}")


def _stop(message: str) -> typer.Exit:
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(1)


def _state(home: Path) -> states.State:
    try:
        return states.read(home)
    except states.NoCompany as error:
        raise _stop(str(error)) from None


def _store(home: Path) -> Path:
    return states.folder(home) / "bitrix24.sqlite"


def _checked(as_of: date) -> date:
    first, last = to_date(FIRST_DAY + 31), to_date(HORIZON)
    if not first <= as_of <= last:
        raise _stop(f"{as_of} is not a day of the demo: its years are planned from {first} to {last}")
    return as_of


@app.command()
def generate(
    clients: Annotated[int, typer.Option(min=1, help="Clients that came before 2026.")] = DEFAULT_CLIENTS,
    seed: Annotated[int, typer.Option(help="The same seed gives the same company, byte for byte.")] = DEFAULT_SEED,
    as_of: Annotated[str, typer.Option(help="The first day that is not complete yet.")] = str(to_date(DEFAULT_AS_OF)),
    home: Home = DEFAULT_HOME,
) -> None:
    """Draw the company, write its planted truth (demo/truth.json) and its Bitrix24, and pin the clock of the home."""
    tell = _clock()
    today = _checked(date.fromisoformat(as_of))
    plan = plans.load_or_build(states.folder(home), seed, clients, tell)
    bitrix24_store.fill(_store(home), plan, postgres.BEGINNING, midnight(day_number(today)), tell)
    told = truth.write(plan, today, states.folder(home) / "truth.json")
    states.write(home, states.State(seed, clients, today.isoformat()))
    states.pin_clock(home, today)
    tell(
        f"{told['rows']['clients']} clients, {len(told['spells'])} spells, {len(told['releases'])} releases by {today}"
    )
    for year, churn in told["annual_churn"].items():
        tell(f"annual churn {year}: {churn['rate']:.1%}")


@app.command()
def load(billing_url: BillingUrl = None, znuny_url: ZnunyUrl = None, home: Home = DEFAULT_HOME) -> None:
    """Fill the billing and help-desk databases (their tables are made, and emptied first)."""
    tell = _clock()
    state = _state(home)
    plan = plans.load_or_build(states.folder(home), state.seed, state.clients, tell)
    _fill(home, plan, billing_url, znuny_url, postgres.BEGINNING, midnight(day_number(state.day)), tell)
    tell(f"the databases show {state.as_of}")


@app.command("serve-bitrix24")
def serve_bitrix24(
    url: Annotated[str, typer.Option(envvar="DEMO_BITRIX24_URL", help="Webhook address to answer on.")] = (
        "http://127.0.0.1:8990/rest/1/demo/"
    ),
    rate: Annotated[
        float, typer.Option(envvar="DEMO_BITRIX24_RATE", help="Requests a second; Bitrix24's cloud allows 2.")
    ] = DEMO_RATE,
    burst: Annotated[float, typer.Option(help="Requests that may come at once, as in the cloud.")] = 50,
    home: Home = DEFAULT_HOME,
) -> None:
    """Answer as Bitrix24 until stopped. Ten times as fast as the cloud unless told otherwise: a demo is in a hurry."""
    _state(home)
    address = urlsplit(url)
    parts = address.path.strip("/").split("/")
    if len(parts) != 3 or parts[0] != "rest" or not address.port:
        raise _stop("the address must look like http://127.0.0.1:8990/rest/1/<code>/")
    try:
        server = Bitrix24Server(
            (address.hostname or "127.0.0.1", address.port), _store(home), parts[2], rate=rate, burst=burst
        )
    except OSError as error:
        raise _stop(
            f"port {address.port} cannot be opened ({error.strerror}): stop what uses it, or set DEMO_BITRIX24_URL"
        ) from None
    typer.echo(f"Bitrix24 answers on port {address.port}, {rate:g} requests a second")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


@app.command()
def advance(
    days: Annotated[int, typer.Option(min=1, help="How many days to live on.")] = 1,
    billing_url: BillingUrl = None,
    znuny_url: ZnunyUrl = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Let the company live on: new, changed, late and deleted rows in all three systems; truth and clock move along.

    The future is a function of the seed and the day: ten times three days end where thirty days do. An advance that
    was interrupted is finished first, by itself.
    """
    tell = _clock()
    state = _state(home)
    target = (
        date.fromisoformat(state.advancing_to) if state.advancing_to else _checked(state.day + timedelta(days=days))
    )
    if state.advancing_to:
        tell(f"finishing the interrupted advance to {target}")
    plan = plans.load_or_build(states.folder(home), state.seed, state.clients, tell)
    since, until = midnight(day_number(state.day)), midnight(day_number(target))
    states.write(home, states.State(state.seed, state.clients, state.as_of, target.isoformat()))
    bitrix24_store.fill(_store(home), plan, since, until, tell)
    _fill(home, plan, billing_url, znuny_url, since, until, tell)
    truth.write(plan, target, states.folder(home) / "truth.json")
    # The clock moves last: nobody may take the new days for complete while the systems lack them.
    states.write(home, states.State(state.seed, state.clients, target.isoformat()))
    states.pin_clock(home, target)
    tell(f"it is {target} now")


@app.command()
def export(
    directory: Annotated[Path, typer.Argument(help="Folder for the canonical CSV files.")],
    home: Home = DEFAULT_HOME,
) -> None:
    """Write what the systems show as the canonical files of the `files` source, straight from the plan."""
    tell = _clock()
    state = _state(home)
    plan = plans.load_or_build(states.folder(home), state.seed, state.clients, tell)
    rows = canonical.write(plan, state.day, directory)
    tell(f"{sum(rows.values())} rows of {len(rows)} entities in {directory}, as of {state.as_of}")


def _fill(
    home: Path,
    plan: plans.Plan,
    billing_url: str | None,
    znuny_url: str | None,
    since: int,
    until: int,
    tell: Callable[[str], None],
) -> None:
    for name, given, system in (("billing", billing_url, billing), ("znuny", znuny_url, znuny)):
        url = given or _owner_url(home, name)
        if url is None:
            raise _stop(f"where is the {name} database? Give --{name}-url or DEMO_{name.upper()}_URL")
        tell(f"{name}: writing")
        try:
            postgres.fill(url, system.SCHEMA, system.tables(plan), since, until, tell)
        except psycopg.OperationalError as error:
            raise _stop(f"the {name} database cannot be reached: {str(error).strip().splitlines()[0]}") from None


def _owner_url(home: Path, name: str) -> str | None:
    """The owner's address of a database that `make demo` made: its reader's, with the owner's name and password."""
    path = home / "retention.env"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    reader = values.get(f"RETENTION_{name.upper()}_URL", "").strip("\"'")
    password = values.get(f"LOCAL_{name.upper()}_OWNER_PASSWORD", "").strip("\"'")
    if not reader or not password:
        return None
    address = urlsplit(reader)
    where = f"{name}_owner:{password}@{address.hostname}:{address.port}"
    return urlunsplit((address.scheme, where, address.path, address.query, ""))


if __name__ == "__main__":
    os.umask(0o077)
    app()
