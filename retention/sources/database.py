"""Reading PostgreSQL, MySQL and MariaDB through DuckDB's own extensions, straight into Parquet."""

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
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

    def stamp(self, moment: datetime) -> datetime:
        return moment if self._zone is None else moment.astimezone(self._zone).replace(tzinfo=None)

    def clock(self) -> datetime | None:
        query = "select now()" if self.kind == "postgres" else "select utc_timestamp(6)"
        moment = self._native("its clock", query)[0][0]
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def may_write(self) -> str:
        rows = self._native("the rights of the account", _RIGHTS[self.kind])
        return ", ".join(f"{what} on {where}" for what, where in rows)

    def sample(self, entity: Entity, rows: int = 10) -> list[dict[str, Any]]:
        assert isinstance(entity, Table)
        where = f" where {entity.condition}" if entity.condition else ""
        query = f"select {_columns(entity)} from {quote(entity.name)}{where} limit {rows}"
        answer = self.run(entity.label, query)
        names = [column[0] for column in answer.description or []]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

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
        self,
        entity: Entity,
        since: datetime | int | None,
        target: Path,
        on_rows: Callable[[int], None],
        until: datetime | int | None = None,
    ) -> None:
        assert isinstance(entity, Table)
        self._copy(entity, _columns(entity), since, until, target)

    def keys(self, entity: Entity, target: Path, on_rows: Callable[[int], None]) -> None:
        names = [*entity.key, *([entity.cursor] if entity.cursor and entity.cursor not in entity.key else [])]
        self._copy(entity, ", ".join(map(quote, names)), None, None, target)

    def _copy(
        self,
        entity: Entity,
        columns: str,
        since: datetime | int | None,
        until: datetime | int | None,
        target: Path,
    ) -> None:
        assert isinstance(entity, Table)
        conditions = [entity.condition] if entity.condition else []
        cursor = quote(entity.cursor or "")
        if since is not None:
            conditions.append(f"{cursor} >= {cursor_literal(since)}")
        if until is not None:
            conditions.append(f"{cursor} < {cursor_literal(until)}")
        where = f" where {' and '.join(f'({condition})' for condition in conditions)}" if conditions else ""
        self.run(
            entity.label,
            f"copy (select {columns} from {quote(entity.name)}{where}) "
            f"to {literal(target)} (format parquet, compression zstd)",
        )

    def _native(self, label: str, query: str) -> list[tuple]:
        """Rows of a query in the database's own SQL."""
        return self.run(label, f"select * from {self.kind}_query({literal(DATABASE)}, {literal(query)})").fetchall()

    def run(self, label: str, query: str, written: str = "") -> duckdb.DuckDBPyConnection:
        """Run a query of DuckDB. Raises SourceError that begins with `label` and holds no secret.

        `written`: the part of it that a person wrote and need not read again in the message.
        """
        try:
            return self.connection.execute(query)
        except duckdb.Error as error:
            said = str(error).replace(written, "…") if written else str(error)
            raise SourceError(f"{label}: {scrub(said, self._secret)}") from None


# What an account could change: (what, on what). Reading needs none of it.
_RIGHTS = {
    "postgres": """
        select 'everything (superuser)' as what, 'the server' as place from pg_roles
        where rolname = current_user and rolsuper
        union all
        select 'create', 'schema ' || nspname from pg_namespace
        where has_schema_privilege(oid, 'create') and nspname !~ '^pg_' and nspname <> 'information_schema'
        union all
        select 'insert, update or delete', count(*) || ' tables, such as ' || min(relname) from pg_class
        where relkind in ('r', 'p') and has_table_privilege(oid, 'insert, update, delete, truncate')
        and relnamespace not in (select oid from pg_namespace where nspname ~ '^pg_' or nspname = 'information_schema')
        having count(*) > 0
    """,
    "mysql": """
        select lower(group_concat(distinct privilege_type order by privilege_type separator ', ')) as what, place from (
            select privilege_type, 'the server' as place, grantee from information_schema.user_privileges
            union all
            select privilege_type, concat('database ', table_schema), grantee from information_schema.schema_privileges
            union all
            select privilege_type, concat('table ', table_name), grantee from information_schema.table_privileges
        ) as granted
        where replace(grantee, char(39 using utf8mb4), '') = current_user()
        and privilege_type not in ('SELECT', 'USAGE', 'SHOW VIEW', 'SHOW DATABASES', 'PROCESS', 'REPLICATION CLIENT')
        group by place
    """,
}


def _columns(entity: Table) -> str:
    return ", ".join(
        f"{entity.expressions[name]} as {quote(name)}" if name in entity.expressions else quote(name)
        for name in entity.columns
    )


def cursor_literal(value: datetime | int) -> str:
    """A cursor as SQL: an instant when it has a zone, a wall time when it has none."""
    if isinstance(value, int):
        return str(value)
    return f"{literal(value.isoformat())}::{'timestamptz' if value.tzinfo else 'timestamp'}"


Opened = TypeVar("Opened", bound=DatabaseSource)


@contextmanager
def connect_database(
    settings: Settings, source: str, zone: ZoneInfo | None = None, kind_of_source: type[Opened] = DatabaseSource
) -> Iterator[Opened]:
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
        yield kind_of_source(connection, kind, "public" if kind == "postgres" else database, secret, zone)
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
