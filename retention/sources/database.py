"""Reading PostgreSQL, MySQL and MariaDB through DuckDB's own extensions, straight into Parquet."""

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit
from zoneinfo import ZoneInfo

import duckdb

from retention.duck import connect as duck_connect
from retention.duck import literal, load_extension, quote
from retention.settings import Settings
from retention.sources.entity import Entity, SourceError

DATABASE = "source"
CONNECT_SECONDS = 15
# Scheme of an address -> kind of database.
SCHEMES = {"postgresql": "postgres", "postgres": "postgres", "mysql": "mysql", "mariadb": "mysql"}
PORTS = {"postgres": 5432, "mysql": 3306}
ADDRESS = "postgresql://user:password@host:port/database (or mysql://…)"


@dataclass(frozen=True)
class Table(Entity):
    """A table of a database.

    `expressions`: column -> SQL where a column is not taken as it stands (to leave private parts of it out).
    `condition`: SQL that chooses the rows. Both are DuckDB's SQL and may name other tables of the database.
    """

    expressions: Mapping[str, str] = field(default_factory=dict)
    condition: str = ""


class DatabaseSource:
    """One database, attached read-only. See `retention.sources.Source` for the methods.

    `kind` is `postgres` or `mysql`; `schema_name` is where its tables are (`public`; in MySQL the database itself).
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, kind: str, schema_name: str, secret: str, zone: ZoneInfo | None
    ) -> None:
        self.connection = connection
        self.kind = kind
        self.schema_name = schema_name
        self._secret = secret
        self._zone = zone

    def now(self) -> datetime:
        return datetime.now(UTC) if self._zone is None else datetime.now(self._zone).replace(tzinfo=None)

    def schema(self, entity: Entity) -> dict[str, str]:
        rows = self.run(
            entity.label,
            f"select column_name, data_type from duckdb_columns() where database_name = {literal(DATABASE)} "
            f"and schema_name = {literal(self.schema_name)} and table_name = {literal(entity.name)} "
            f"order by column_index",
        ).fetchall()
        if not rows:
            raise SourceError(
                f"{entity.label}: there is no such table in schema {self.schema_name}, or its reader may not see it. "
                f"Check the database in RETENTION_{entity.source.upper()}_URL and grant select on it."
            )
        return dict(rows)

    def extract(
        self, entity: Entity, since: datetime | int | None, target: Path, on_rows: Callable[[int], None]
    ) -> None:
        assert isinstance(entity, Table)
        columns = ", ".join(
            f"{entity.expressions[name]} as {quote(name)}" if name in entity.expressions else quote(name)
            for name in entity.columns
        )
        self._copy(entity, columns, since, target)

    def keys(self, entity: Entity, target: Path, on_rows: Callable[[int], None]) -> None:
        names = [*entity.key, *([entity.cursor] if entity.cursor and entity.cursor not in entity.key else [])]
        self._copy(entity, ", ".join(map(quote, names)), None, target)

    def _copy(self, entity: Entity, columns: str, since: datetime | int | None, target: Path) -> None:
        assert isinstance(entity, Table)
        conditions = [entity.condition] if entity.condition else []
        if since is not None:
            conditions.append(f"{quote(entity.cursor or '')} >= {cursor_literal(since)}")
        where = f" where {' and '.join(f'({condition})' for condition in conditions)}" if conditions else ""
        self.run(
            entity.label,
            f"copy (select {columns} from {quote(entity.name)}{where}) "
            f"to {literal(target)} (format parquet, compression zstd)",
        )

    def run(self, label: str, query: str) -> duckdb.DuckDBPyConnection:
        """Run a query of DuckDB. Raises SourceError that begins with `label` and holds no secret."""
        try:
            return self.connection.execute(query)
        except duckdb.Error as error:
            raise SourceError(f"{label}: {scrub(str(error), self._secret)}") from None


def cursor_literal(value: datetime | int) -> str:
    """A cursor as SQL: an instant when it has a zone, a wall time when it has none."""
    if isinstance(value, int):
        return str(value)
    return f"{literal(value.isoformat())}::{'timestamptz' if value.tzinfo else 'timestamp'}"


@contextmanager
def connect_database(settings: Settings, source: str, zone: ZoneInfo | None = None) -> Iterator[DatabaseSource]:
    """Attach the database of `source` read-only: the address in the setting `<source>_url`.

    `zone` is that of its naive timestamps, where it has such. Raises SourceError.
    """
    variable = f"RETENTION_{source.upper()}_URL"
    url = settings.url(source)
    if url is None:
        raise SourceError(
            f"{source}: no connection is configured. Set {variable}={ADDRESS} in {settings.home / 'retention.env'} or "
            f".env, or take {source} out of RETENTION_SOURCES."
        )
    secret = url.get_secret_value()
    parts = urlsplit(secret)
    kind = SCHEMES.get(parts.scheme, "")
    database = unquote(parts.path.strip("/"))
    if not kind or not parts.hostname or not database:
        raise SourceError(f"{source}: {variable} must look like {ADDRESS}")
    connection = duck_connect(settings.extensions)
    try:
        load_extension(connection, f"{kind}_scanner")
        try:
            _attach(connection, kind, parts, secret)
        except (duckdb.Error, OSError) as error:
            where = f"{parts.hostname}:{parts.port or PORTS[kind]}/{database}"
            raise SourceError(
                f"{source}: the database at {where} does not answer: {scrub(str(error), secret)} "
                f"Check that it runs and that {variable} is right."
            ) from None
        yield DatabaseSource(connection, kind, "public" if kind == "postgres" else database, secret, zone)
    finally:
        connection.close()


def _attach(connection: duckdb.DuckDBPyConnection, kind: str, parts: SplitResult, secret: str) -> None:
    database = unquote(parts.path.strip("/"))
    if kind == "postgres":
        connection.execute(f"attach {literal(_with_timeout(secret))} as {DATABASE} (type postgres, read_only)")
        connection.execute(f"use {DATABASE}.public")
    else:
        # This extension knows no time-out for connecting: a host that swallows packets is found out beforehand.
        socket.create_connection((parts.hostname, parts.port or PORTS[kind]), CONNECT_SECONDS).close()
        # TIMESTAMP columns are instants; they arrive as the wall time of the session.
        connection.execute("set mysql_session_time_zone = '+00:00'")
        connection.execute(f"attach {literal(_mysql_url(secret))} as {DATABASE} (type mysql, read_only)")
        connection.execute(f"use {DATABASE}.{quote(database)}")
    connection.execute(f"select 1 from {kind}_query({literal(DATABASE)}, 'select 1')").fetchall()


def _mysql_url(url: str) -> str:
    return "mysql://" + url.partition("://")[2]


def _with_timeout(url: str) -> str:
    """A host that swallows packets must not hold a run for minutes."""
    if "connect_timeout=" in url:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}connect_timeout={CONNECT_SECONDS}"


def scrub(message: str, secret: str) -> str:
    """Take a connection URL, its password and anything that looks like one out of a message, and put it on one line."""
    password = urlsplit(secret).password
    for address in (_with_timeout(secret), _mysql_url(secret), secret):
        message = message.replace(address, "(the configured address)")
    for form in {password, unquote(password)} if password else set():
        message = message.replace(form, "***")
    message = re.sub(r"://[^@\s]*@", "://***@", message)
    message = re.sub(r"(password|passwd)\s*=\s*\S+", r"\1=***", message, flags=re.IGNORECASE)
    return " ".join(line.strip() for line in message.splitlines() if line.strip())[:600]
