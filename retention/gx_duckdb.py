"""A SQLAlchemy dialect `duckdb_buffered`, under which Great Expectations can read DuckDB.

Great Expectations reads the rows of a result after it has given the connection back to the pool, when a DuckDB
connection has already forgotten them: through plain `duckdb://` most expectations raise. Here each result is fetched
when it is executed. That stays small, because expectations ask for counts and for a handful of samples.
"""

from typing import Any

import duckdb
from duckdb_engine import ConnectionWrapper, CursorWrapper, Dialect
from sqlalchemy import text, types
from sqlalchemy.dialects import registry
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedPrimaryKeyConstraint
from sqlalchemy.pool import QueuePool

NAME = "duckdb_buffered"

_open: list[duckdb.DuckDBPyConnection] = []


class _BufferedCursor(CursorWrapper):
    def __init__(self, connection: duckdb.DuckDBPyConnection, wrapper: ConnectionWrapper) -> None:
        super().__init__(connection, wrapper)
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1

    def execute(self, statement: str, parameters: Any = None, context: Any = None) -> None:
        super().execute(statement, parameters, context)
        # Both are attributes of the connection, so the next statement would overwrite them.
        self.description = self.connection.description
        self._rows = self.connection.fetchall() if self.description else []

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        count = 1 if size is None else size
        head, self._rows = self._rows[:count], self._rows[count:]
        return head

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows


class _BufferedConnection(ConnectionWrapper):
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection)
        self._connection = connection

    def cursor(self) -> _BufferedCursor:
        return _BufferedCursor(self._connection, self)


class BufferedDialect(Dialect):
    """duckdb_engine's dialect with results that outlive their connection."""

    supports_statement_cache = False

    @classmethod
    def get_pool_class(cls, url: Any) -> type[QueuePool]:
        # To open a file takes 30 ms and an expectation asks several times: keep the connections, until `close_all`.
        return QueuePool

    def connect(self, *args: Any, **kwargs: Any) -> _BufferedConnection:  # type: ignore[override]
        connection = super().connect(*args, **kwargs)._ConnectionWrapper__c
        _open.append(connection)
        return _BufferedConnection(connection)

    # The inherited reflection asks PostgreSQL's catalog for things that DuckDB does not have (SQLAlchemy 2.1).
    def get_columns(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedColumn]:
        query = text(
            "select column_name, data_type, is_nullable = 'YES' from information_schema.columns"
            " where table_name = :name and table_schema = :schema order by ordinal_position"
        )
        rows = connection.execute(query, {"name": str(table_name), "schema": str(schema or "main")}).fetchall()
        return [
            {"name": name, "type": _sql_type(data_type), "nullable": nullable, "default": None}
            for name, data_type, nullable in rows
        ]

    def get_pk_constraint(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> ReflectedPrimaryKeyConstraint:
        return {"constrained_columns": [], "name": None}


def _sql_type(data_type: str) -> types.TypeEngine[Any]:
    """SQLAlchemy's type for a DuckDB type name; only the families that expectations tell apart."""
    name = data_type.split("(")[0].upper()
    if name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"):
        return types.BigInteger()
    if name in ("DECIMAL", "DOUBLE", "FLOAT"):
        return types.Numeric()
    if name == "BOOLEAN":
        return types.Boolean()
    if name == "DATE":
        return types.Date()
    if name.startswith("TIMESTAMP"):
        return types.DateTime(timezone=name.endswith("ZONE"))
    return types.String()


def register() -> None:
    """Make `duckdb_buffered:///path` known to SQLAlchemy."""
    registry.register(NAME, __name__, "BufferedDialect")


def close_all() -> None:
    """Close every connection of this dialect: Great Expectations keeps some, and dbt could not write."""
    while _open:
        _open.pop().close()
