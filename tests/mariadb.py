"""A throw-away MariaDB on loopback: what many help-desks and billing systems live in.

`TESTS_MYSQLD=/path/to/mysqld` lets the same tests run on a MySQL; Debian has none that could be a part of every run.
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from pwd import getpwuid
from urllib.parse import quote

import pymysql

from local import envfile, processes

HOW_TO_GET_ONE = "Install it (Debian, Ubuntu: apt install mariadb-server) and run the tests again."


@cache
def program(name: str) -> str:
    """Path of a program of MariaDB's server. Raises RuntimeError that says how to get it."""
    places = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin"
    found = shutil.which(name) or shutil.which(name, path=places)
    if not found:
        raise RuntimeError(f"There is no {name} on this machine, and tests read a MariaDB. {HOW_TO_GET_ONE}")
    return found


def _commands(data: Path) -> tuple[list[str], list[str]]:
    """How a folder of data is made, and how a server over it is started."""
    common = ["--no-defaults", f"--datadir={data}", f"--user={getpwuid(os.getuid()).pw_name}"]
    if mysqld := os.environ.get("TESTS_MYSQLD"):
        common.append("--secure-file-priv=NULL")
        return [mysqld, *common, "--initialize-insecure"], [mysqld, *common, "--mysqlx=OFF"]
    install = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    return [program("mariadb-install-db"), *common, *install], [program("mariadbd"), *common]


@dataclass(frozen=True)
class Database:
    """One database: `owner_url` may write, `reader_url` only select."""

    name: str
    owner_url: str
    reader_url: str
    port: int
    owner: str
    password: str

    def connect(self) -> pymysql.Connection:
        """A connection of the owner, in autocommit mode."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.owner,
            password=self.password,
            database=self.name,
            autocommit=True,
            charset="utf8mb4",
        )


@dataclass(frozen=True)
class Server:
    port: int
    socket: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def administer(self, *statements: str) -> None:
        with closing(pymysql.connect(unix_socket=str(self.socket), user="root", autocommit=True)) as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def database(self, prefix: str = "test", characters: str = "utf8mb4") -> Database:
        """Make a new, empty database in the character set `characters`, with an owner and a reader of its own."""
        name = f"{prefix}_{next(self._numbers)}"
        owner, reader, password = f"{name}_owner", f"{name}_reader", envfile.secret()
        self.administer(
            f"create database {name} character set {characters}",
            f"create user {owner}@'127.0.0.1' identified by '{password}'",
            f"create user {reader}@'127.0.0.1' identified by '{password}'",
            f"grant all on {name}.* to {owner}@'127.0.0.1'",
            f"grant select on {name}.* to {reader}@'127.0.0.1'",
        )
        urls = (f"mysql://{user}:{quote(password)}@127.0.0.1:{self.port}/{name}" for user in (owner, reader))
        return Database(name, *urls, self.port, owner, password)


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Start a server with its data in `folder`, and stop it at the end."""
    data, log = folder / "data", folder / "mariadb.log"
    make, serve = _commands(data)
    subprocess.run(make, check=True, capture_output=True)
    port = processes.free_port(33_100)
    # The path of a socket may have about a hundred characters; those of pytest's folders have more.
    with tempfile.TemporaryDirectory(prefix="mariadb-") as short, log.open("wb") as output:
        socket = Path(short) / "s"
        options = [f"--port={port}", f"--socket={socket}", f"--pid-file={folder / 'pid'}"]
        options += ["--bind-address=127.0.0.1", "--skip-name-resolve"]
        options += ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]
        process = subprocess.Popen([*serve, *options], stdout=output, stderr=subprocess.STDOUT)
        try:
            started = Server(port, socket)
            _wait_for(started, process, log)
            yield started
        finally:
            process.terminate()
            process.wait(60)


def _wait_for(server: Server, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return server.administer("select 1")
        except pymysql.Error:
            if process.poll() is not None or time.monotonic() > deadline:
                print(log.read_text(errors="replace")[-3000:], file=sys.stderr)
                raise
            time.sleep(0.1)
