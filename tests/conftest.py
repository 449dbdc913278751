"""Fixtures that several folders of tests share."""

import itertools
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local import envfile, postgres, processes
from tests import mariadb

# A test must never touch a real installation: not its home, not its settings, not the services it names.
for _name in [name for name in os.environ if name.startswith(("RETENTION_", "AIRFLOW_", "SUPERSET_"))]:
    del os.environ[_name]


@dataclass(frozen=True)
class TestDatabase:
    """One database: `owner_url` may write, `reader_url` only select."""

    __test__ = False
    name: str
    owner_url: str
    reader_url: str


@dataclass(frozen=True)
class TestServer:
    """A throw-away PostgreSQL 18 on loopback."""

    __test__ = False
    server: postgres.Server
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def admin_url(self) -> str:
        return self.server.url()

    def database(self, prefix: str = "test") -> TestDatabase:
        """Make a new, empty database with an owner and a reader of its own."""
        name = f"{prefix}_{next(self._numbers)}"
        owner, reader, password = f"{name}_owner", f"{name}_reader", envfile.secret()
        postgres.ensure_role(self.server, owner, password)
        postgres.ensure_role(self.server, reader, password)
        postgres.ensure_database(self.server, name, owner, [reader])
        return TestDatabase(name, self.server.url(name, owner, password), self.server.url(name, reader, password))


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """A running PostgreSQL for the whole test run; `postgres_server.database()` gives a fresh database."""
    folder: Path = tmp_path_factory.mktemp("postgres")
    server = postgres.Server(processes.free_port(55_500 + os.getpid() % 2_000), envfile.secret())
    postgres.start(folder / "data", server, run=folder, log=folder / "postgres.log", durable=False)
    try:
        yield TestServer(server)
    finally:
        postgres.stop(folder)


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mariadb.Server]:
    """A running MariaDB for the whole test run; `mariadb_server.database()` gives a fresh database."""
    with mariadb.running(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture(autouse=True)
def logs_of_retention() -> None:
    """The command line turns the log down for its whole process; a test that ran it must not silence the next one."""
    logging.getLogger("retention").setLevel(logging.NOTSET)
