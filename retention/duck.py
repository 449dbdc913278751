"""DuckDB connections that leave no trace in anybody's home folder, and quoting for the SQL that is built here."""

from importlib.resources import files
from pathlib import Path

import duckdb


def connect(
    extensions: Path, database: Path | str = ":memory:", *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open `database` with UTC as its zone; extensions come from and go to `extensions` only."""
    connection = duckdb.connect(
        str(database),
        read_only=read_only,
        config={
            "extension_directory": str(extensions),
            "secret_directory": str(extensions / "secrets"),
            "autoinstall_known_extensions": "false",
        },
    )
    # Progress is this program's to show: a bar of DuckDB's own would run through its output.
    connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
    return connection


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension from where its wheel has it (package duckdb-extension-<name>): nothing is downloaded or copied.

    Raises RuntimeError when the wheel is not there.
    """
    try:
        package = files(f"duckdb_extension_{name}")
    except ModuleNotFoundError:
        wheel = f"duckdb-extension-{name.replace('_', '-')}"
        raise RuntimeError(f"{wheel} is not installed: `make venvs` installs everything") from None
    path = package / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    connection.execute(f"load {literal(path)}")


def quote(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """Write a text, or a list of texts, as an SQL literal."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return "'" + str(value).replace("'", "''") + "'"
