"""A home of its own for each test, and small copies of the two databases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from retention import landing
from retention.settings import Settings, load_settings

SYSTEMS = Path(__file__).parents[2] / "demo" / "systems"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def settings_for(home: Path) -> Callable[..., Settings]:
    """Settings of the test's home; the clock is pinned unless told otherwise."""

    def make(**overrides: Any) -> Settings:
        return load_settings(home, **({"as_of": "2026-01-01"} | overrides))

    return make


@pytest.fixture
def billing(postgres_server, settings_for):
    """An empty billing database: (connection of its owner, settings of a reader)."""
    database = postgres_server.database("billing")
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute((SYSTEMS / "billing.sql").read_text(encoding="utf-8"))
        yield connection, settings_for(sources=["billing"], billing_url=database.reader_url)


@pytest.fixture
def znuny(postgres_server, settings_for):
    """An empty Znuny database: (connection of its owner, settings of a reader)."""
    database = postgres_server.database("znuny")
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute((SYSTEMS / "znuny.sql").read_text(encoding="utf-8"))
        yield connection, settings_for(sources=["znuny"], znuny_url=database.reader_url)


@pytest.fixture
def landed_rows() -> Callable[..., list[tuple]]:
    """What dbt would see: rows of a landing relation, ordered."""

    def read(settings: Settings, table: str, columns: str = "*") -> list[tuple]:
        with duckdb.connect() as connection:
            landing.create_landing_views(connection, settings)
            return connection.execute(f"select {columns} from landing.{table} order by all").fetchall()

    return read
