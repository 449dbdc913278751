"""Reading PostgreSQL through DuckDB's own extension, straight into Parquet. Shared by billing and Znuny."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import duckdb
from pydantic import SecretStr

from retention.duck import connect as duck_connect
from retention.duck import literal, load_extension, quote
from retention.settings import Settings
from retention.sources.entity import Entity, SourceError

DATABASE = "source"


@dataclass(frozen=True)
class Table(Entity):
    """A table of a PostgreSQL database.

    `expressions`: column -> SQL where a column is not taken as it stands (to leave private parts of it out).
    `condition`: SQL that chooses the rows; other tables are written as `source.public.<table>`.
    """

    expressions: Mapping[str, str] = field(default_factory=dict)
    condition: str = ""


def tables_required(columns: Mapping[str, str]) -> frozenset[str]:
    """Every column that is read from a database is needed."""
    return frozenset(columns)


class PostgresSource:
    """One database, attached read-only. See `retention.sources.Source` for the methods."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, secret: str, zone: ZoneInfo | None) -> None:
        self._connection = connection
        self._secret = secret
        self._zone = zone

    def now(self) -> datetime:
        return datetime.now(UTC) if self._zone is None else datetime.now(self._zone).replace(tzinfo=None)

    def schema(self, entity: Entity) -> dict[str, str]:
        rows = self._run(
            entity,
            f"select column_name, data_type from duckdb_columns() where database_name = {literal(DATABASE)} "
            f"and schema_name = 'public' and table_name = {literal(entity.name)} order by column_index",
        ).fetchall()
        if not rows:
            raise SourceError(
                f"{entity.label}: there is no such table in schema public, or its reader may not see it. "
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
            kind = "timestamptz" if isinstance(since, datetime) and since.tzinfo else "timestamp"
            value = str(since) if isinstance(since, int) else f"{literal(since.isoformat())}::{kind}"
            conditions.append(f"{quote(entity.cursor or '')} >= {value}")
        where = f" where {' and '.join(f'({condition})' for condition in conditions)}" if conditions else ""
        self._run(
            entity,
            f"copy (select {columns} from {DATABASE}.public.{quote(entity.name)}{where}) "
            f"to {literal(target)} (format parquet, compression zstd)",
        )

    def _run(self, entity: Entity, query: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(query)
        except duckdb.Error as error:
            raise SourceError(f"{entity.label}: {scrub(str(error), self._secret)}") from None


@contextmanager
def connect_postgres(
    settings: Settings, source: str, url: SecretStr | None, zone: ZoneInfo | None = None
) -> Iterator[PostgresSource]:
    """Attach the database behind `url` (postgresql://user:password@host:port/database) read-only."""
    variable = f"RETENTION_{source.upper()}_URL"
    if url is None:
        raise SourceError(
            f"{source}: no connection is configured. Set {variable}=postgresql://user:password@host:port/database in "
            f"{settings.home / 'retention.env'} or .env, or take {source} out of RETENTION_SOURCES."
        )
    secret = url.get_secret_value()
    parts = urlsplit(secret)
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname or not parts.path.strip("/"):
        raise SourceError(f"{source}: {variable} must look like postgresql://user:password@host:port/database")
    connection = duck_connect(settings.extensions)
    try:
        load_extension(connection, "postgres_scanner")
        try:
            connection.execute(f"attach {literal(_with_timeout(secret))} as {DATABASE} (type postgres, read_only)")
            connection.execute(f"select 1 from postgres_query({literal(DATABASE)}, 'select 1')").fetchall()
        except duckdb.Error as error:
            where = f"{parts.hostname}:{parts.port or 5432}/{parts.path.strip('/')}"
            raise SourceError(
                f"{source}: the database at {where} does not answer: {scrub(str(error), secret)} "
                f"Check that it runs and that {variable} is right."
            ) from None
        yield PostgresSource(connection, secret, zone)
    finally:
        connection.close()


def _with_timeout(url: str) -> str:
    """A host that swallows packets must not hold a run for minutes."""
    if "connect_timeout=" in url:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}connect_timeout=15"


def scrub(message: str, secret: str) -> str:
    """Take a connection URL, its password and anything that looks like one out of a message, and put it on one line."""
    password = urlsplit(secret).password
    for address in (_with_timeout(secret), secret):
        message = message.replace(address, "(the configured address)")
    for form in {password, unquote(password)} if password else set():
        message = message.replace(form, "***")
    message = re.sub(r"://[^@\s]*@", "://***@", message)
    message = re.sub(r"password\s*=\s*\S+", "password=***", message, flags=re.IGNORECASE)
    return " ".join(line.strip() for line in message.splitlines() if line.strip())[:600]
