"""Reading PostgreSQL, MySQL and MariaDB through DuckDB's own extensions, straight into Parquet."""

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.parse import quote as quote_url
from zoneinfo import ZoneInfo

import duckdb

from retention.duck import connect as duck_connect
from retention.duck import literal, load_extension, quote
from retention.settings import Settings
from retention.sources.entity import Entity, SourceError

DATABASE = "source"
CONNECT_SECONDS = 15
LOCK_SECONDS = 10
SHORT_PASSWORD = 6
# Rows of a large table that are read in one go. A page takes a second or two.
PAGE_ROWS = 100_000
# How many of the newest rows of a table with a parent an ordinary load looks through.
RECENT_ROWS = 100_000
# Changed parents whose rows are read in one go. Of a list of a thousand MariaDB would make a join.
PAGE_PARENTS = 500
# Scheme of an address -> kind of database.
SCHEMES = {"postgresql": "postgres", "postgres": "postgres", "mysql": "mysql", "mariadb": "mysql"}
PORTS = {"postgres": 5432, "mysql": 3306}
ADDRESS = "postgresql://user:password@host:port/database (or mysql://…)"


@dataclass(frozen=True)
class Table(Entity):
    """A table of a database.

    `expressions`: column -> SQL where a column is not taken as it stands (to leave private parts of it out).
    `condition`: SQL that chooses the rows. Both are plain SQL that every database understands.
    `page`: a whole number that grows with every row, where the table is large: it is then read in ranges of it. It
    must be the primary key or have an index.
    `parent`: (column, table), for a large table without an index on its cursor: the column has one, and names by its
    `id` a row of the other table, whose cursor of the same name moves when rows here are changed. Where that spares
    pages, an ordinary load reads the newest rows and those of parents that changed, and no others.
    """

    expressions: Mapping[str, str] = field(default_factory=dict)
    condition: str = ""
    page: str = ""
    parent: tuple[str, str] | None = None

    def read_thoroughly(self) -> Entity:
        return replace(self, parent=None)

    @property
    def query(self) -> str:
        """The rows in the database's own SQL."""
        return f"{self._select}{f' where {self.condition}' if self.condition else ''}"

    def query_where(self, conditions: list[str]) -> str:
        """Some of the rows. The conditions stand inside: MySQL would make the whole table first and then choose."""
        return f"{self._select}{where([*filter(None, [self.condition]), *conditions])}"

    @property
    def _select(self) -> str:
        columns = ", ".join(
            f"{self.expressions[name]} as {name}" if name in self.expressions else name for name in self.columns
        )
        return f"select {columns} from {self.name}"


class DatabaseSource:
    """One database, attached read-only. See `retention.sources.Source` for the methods.

    Rows are read by queries in the database's own SQL, so that it does the choosing. `kind` is `postgres` or `mysql`;
    `schema_name` is where its tables are (`public`; in MySQL the database itself).
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
        now = "now()" if self.kind == "postgres" else "utc_timestamp(6)"
        moment = self.native("its clock", f"select {now}")[0][0]
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def may_write(self) -> str:
        rows = self.native("the rights of the account", _RIGHTS[self.kind])
        return ", ".join(f"{what} on {where}" for what, where in rows)

    def check(self) -> None:
        """Nothing beforehand: the schema of a table is compared when it is its turn."""

    def schema(self, entity: Entity) -> dict[str, str]:
        rows = self.rows(
            entity.label,
            f"select column_name, data_type from duckdb_columns() where database_name = {literal(DATABASE)} "
            f"and schema_name = {literal(self.schema_name)} and table_name = {literal(entity.name)} "
            f"order by column_index",
        )
        if not rows:
            raise SourceError(
                f"{entity.label}: there is no such table in schema {self.schema_name}, or its reader may not see it. "
                f"Check the database in RETENTION_{entity.source.upper()}_URL and grant select on it."
            )
        return dict(rows)

    def sample(self, entity: Entity, rows: int = 10) -> list[dict[str, Any]]:
        native = self._native(f"select * from (\n{_query(entity, [])}\n) as q limit {rows}")
        sampled = self.rows(entity.label, f"select {self._select(entity, list(entity.columns))} from ({native})")
        names = [column[0] for column in self.connection.description or []]
        return [dict(zip(names, row, strict=True)) for row in sampled]

    def extract(
        self,
        entity: Entity,
        since: datetime | int | None,
        target: Path,
        on_rows: Callable[[int], None],
        until: datetime | int | None = None,
    ) -> datetime | None:
        bounds = [
            f"{self._name(entity.cursor or '')} {sign} {self._value(entity, value)}"
            for sign, value in ((">=", since), ("<", until))
            if value is not None
        ]
        self._copy(entity, list(entity.columns), bounds, target, on_rows)
        return None

    def keys(self, entity: Entity, target: Path, on_rows: Callable[[int], None]) -> None:
        names = dict.fromkeys([*entity.key, *([entity.cursor] if entity.cursor else [])])
        self._copy(entity, list(names), [], target, on_rows)

    def _copy(
        self, entity: Entity, names: list[str], bounds: list[str], target: Path, on_rows: Callable[[int], None]
    ) -> None:
        """Copy rows page by page: no transaction at the source is longer than a page, and none waits for another."""
        columns = self._select(entity, names)
        pages, rows = [], 0
        for number, page in enumerate(self._pages(entity, bounds)):
            pages.append(target.with_suffix(f".{number}.parquet"))
            native = self._native(_query(entity, [*bounds, *page]))
            copied = self.rows(
                entity.label,
                f"copy (select {columns} from ({native})) to {literal(pages[-1])} (format parquet, compression zstd)",
            )
            rows += copied[0][0]
            on_rows(rows)
        if len(pages) == 1:
            pages[0].rename(target)
            return
        every = literal([str(page) for page in pages])
        self.rows(
            entity.label,
            f"copy (select * from read_parquet({every})) to {literal(target)} (format parquet, compression zstd)",
        )
        for page in pages:
            page.unlink()

    def _pages(self, entity: Entity, bounds: list[str]) -> list[list[str]]:
        """Conditions that part a table into pages; a single empty one where it is small or has nothing to go by."""
        if not isinstance(entity, Table) or not entity.page:
            return [[]]
        # Both ends of a table are at hand in its index. Those of the rows within the bounds of another column are not:
        # to find them is to read the table once, in one statement.
        within = bounds if entity.cursor == entity.page else []
        ends = f"select min({entity.page}), max({entity.page}) from {entity.name}{where(within)}"
        first, last = self.native(entity.label, ends)[0]
        if first is None or last - first < PAGE_ROWS:
            return [[]]
        every = _ranges(entity.page, first, last)
        if not bounds or not entity.parent:
            return every
        return min(every, self._pages_of_changes(entity, bounds, first, last), key=len)

    def _pages_of_changes(self, entity: Table, bounds: list[str], first: int, last: int) -> list[list[str]]:
        """Pages of the newest rows, and of the older ones whose parents changed: no row is in two of them."""
        assert entity.parent
        column, table = entity.parent
        newest = max(first, last - RECENT_ROWS + 1)
        # More than this would be more pages than the table has.
        most = (last - first) // PAGE_ROWS * PAGE_PARENTS + PAGE_PARENTS
        changed = self.native(entity.label, f"select id from {table}{where(bounds)} order by id limit {most}")
        parents = [str(row[0]) for row in changed]
        # Lists and not a subquery, pages and not an `or`: the database has no other way than by its indexes.
        older = [
            [f"{column} in ({', '.join(parents[start : start + PAGE_PARENTS])})", f"{entity.page} < {newest}"]
            for start in range(0, len(parents), PAGE_PARENTS)
        ]
        return [*_ranges(entity.page, newest, last), *older]

    def _select(self, entity: Entity, names: list[str]) -> str:
        """The columns in the form in which they land."""
        return ", ".join(map(quote, names))

    def _value(self, entity: Entity, value: datetime | int) -> str:
        """A cursor in the database's own SQL."""
        if isinstance(value, int):
            return str(value)
        text = literal(value.isoformat(" "))
        return f"{text}::timestamptz" if value.tzinfo and self.kind == "postgres" else text

    def _name(self, column: str) -> str:
        """A column in the database's own SQL, whatever letters it is written with."""
        return f"`{column.replace('`', '``')}`" if self.kind == "mysql" else quote(column)

    def _native(self, query: str) -> str:
        return f"select * from {self.kind}_query({literal(DATABASE)}, {literal(query)})"

    def native(self, label: str, query: str) -> list[tuple]:
        """Rows of a query in the database's own SQL. Raises SourceError."""
        return self.rows(label, self._native(query))

    def rows(self, label: str, query: str, written: str = "") -> list[tuple]:
        """Rows of a query of DuckDB. Raises SourceError that begins with `label` and holds no secret.

        `written`: the part of it that a person wrote and need not read again in the message.
        """
        try:
            return self.connection.execute(query).fetchall()  # some errors come with the rows
        except duckdb.Error as error:
            said = str(error).replace(written, "…") if written else str(error)
            raise SourceError(f"{label}: {_without_value(scrub(said, self._secret))}") from None


def _query(entity: Entity, conditions: list[str]) -> str:
    query: str = entity.query_where(conditions)  # type: ignore[attr-defined]  # of a Table or a MappedEntity
    return query


def _ranges(column: str, first: int, last: int) -> list[list[str]]:
    starts = range(first, last + 1, PAGE_ROWS)
    return [[f"{column} >= {start}", f"{column} < {start + PAGE_ROWS}"] for start in starts]


def where(conditions: list[str]) -> str:
    """The clause that holds rows to all of the conditions; nothing when there are none."""
    return f" where {' and '.join(f'({condition})' for condition in conditions)}" if conditions else ""


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


Opened = TypeVar("Opened", bound=DatabaseSource)


@contextmanager
def connect_database(
    settings: Settings,
    source: str,
    zone: ZoneInfo | None = None,
    kind_of_source: Callable[..., Opened] = DatabaseSource,
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
    parts = _parts(secret)
    if parts is None:
        raise SourceError(
            f"{source}: {variable} must look like {ADDRESS}; in a name or password write / as %2F, @ as %40, : as %3A, "
            f"# as %23, ? as %3F, [ as %5B and % as %25"
        )
    kind, database = SCHEMES[parts.scheme], unquote(parts.path.strip("/"))
    connection = duck_connect(settings.extensions)
    try:
        load_extension(connection, f"{kind}_scanner")
        try:
            _attach(connection, kind, parts, secret)
        except (duckdb.Error, OSError) as error:
            where = scrub(f"{parts.hostname}:{parts.port or PORTS[kind]}/{database}", secret)
            raise SourceError(
                f"{source}: the database at {where} does not answer: {scrub(str(error), secret).rstrip('.')}. "
                f"Check that it runs and that {variable} is right."
            ) from None
        yield kind_of_source(connection, kind, "public" if kind == "postgres" else database, secret, zone)
    finally:
        connection.close()


def _parts(url: str) -> SplitResult | None:
    """The parts of an address; None when it is none that can be used. No error may hold it: a password is in it."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in SCHEMES and parts.hostname and parts.path.strip("/") and (parts.port or True)
    except ValueError:
        return None
    # A password that is not written as an address wants it ends up in the host or in the path.
    is_torn = parts.netloc.count("@") > 1 or set(parts.path.strip("/")) & set("/@")
    return parts if whole and not is_torn else None


def _attach(connection: duckdb.DuckDBPyConnection, kind: str, parts: SplitResult, secret: str) -> None:
    if kind == "postgres":
        try:
            connection.execute(f"attach {literal(_with_timeout(secret))} as {DATABASE} (type postgres, read_only)")
        except duckdb.Error as error:
            # A pooler in front of the database (PgBouncer) takes no options. Every page still only reads, and is short.
            if "startup parameter" not in str(error):
                raise
            plain = _with_timeout(secret, options=False)
            connection.execute(f"attach {literal(plain)} as {DATABASE} (type postgres, read_only)")
    else:
        # This extension knows no time-out for connecting: a host that swallows packets is found out beforehand.
        socket.create_connection((parts.hostname, parts.port or PORTS[kind]), CONNECT_SECONDS).close()
        # TIMESTAMP columns are instants; they arrive as the wall time of the session.
        connection.execute("set mysql_session_time_zone = '+00:00'")
        connection.execute(f"attach {literal(_mysql_url(secret))} as {DATABASE} (type mysql, read_only)")
    connection.execute(f"select 1 from {kind}_query({literal(DATABASE)}, 'select 1')").fetchall()


def _mysql_url(url: str) -> str:
    return "mysql://" + url.partition("://")[2]


def _with_timeout(url: str, *, options: bool = True) -> str:
    """A host that swallows packets must not hold a run for minutes; nor may a run hold, or wait for, anybody there."""
    added = {"connect_timeout": str(CONNECT_SECONDS)}
    if options:
        added["options"] = f"-c default_transaction_read_only=on -c lock_timeout={LOCK_SECONDS}s"
    query = "&".join(f"{name}={quote_url(value)}" for name, value in added.items() if f"{name}=" not in url)
    return f"{url}{'&' if urlsplit(url).query else '?'}{query}" if query else url


def _without_value(message: str) -> str:
    """Leave out the value that a database could not convert: it is a row's, and may be a name."""
    where = r"(for (?:type|enum) [^:]+: |value(?: out of range)?: |convert (?:string|value) )"
    return re.sub(rf"{where}(?:\"[^\"]*\"|'[^']*')", r"\1…", message)


def scrub(message: str, secret: str) -> str:
    """Take a connection URL, its password and anything that looks like one out of a message, and put it on one line."""
    parts = urlsplit(secret)
    for address in (_with_timeout(secret), _with_timeout(secret, options=False), _mysql_url(secret), secret):
        message = message.replace(address, "(the configured address)")
    for password in filter(None, (parts.password, *re.findall(r"\bpassw(?:or)?d=([^&]*)", parts.query))):
        for form in {password, unquote(password)}:
            # A short one is a part of common words, which do not give it away; in an address it stands alone.
            before, behind = (r"(?<!\w)", r"(?!\w)") if len(form) < SHORT_PASSWORD else ("", "")
            message = re.sub(f"{before}{re.escape(form)}{behind}", "***", message)
    message = re.sub(r"://\S*@", "://***@", message)
    message = re.sub(r"(password|passwd)\s*=\s*\S+", r"\1=***", message, flags=re.IGNORECASE)
    return " ".join(line.strip() for line in message.splitlines() if line.strip())[:600]
