"""Any SQL database, by a mapping of queries to canonical entities: `sources/<source>.yml`.

The queries are in the database's own SQL and run there: joins, casts and the condition on the cursor are its work. What
they give are the columns of the contract, so that no staging model is needed. A load checks the mapping as a whole
before it reads anything; every mistake is told with its file and line.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from retention.duck import literal, quote
from retention.settings import Settings
from retention.sources.contract import CANONICAL
from retention.sources.database import DatabaseSource, connect_database, where
from retention.sources.entity import Entity, SourceError
from retention.sources.mapping import Mapping, MappingFile, TimeZone

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
INSTANTS = {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "DATE"}
NUMBERS = INTEGERS | {"DECIMAL"}
# Type of a canonical column -> the types that its query may give. Text is only good for text: a database that keeps
# money or days as text must cast them in the query, where a bad value shows at once.
READABLE = {
    "timestamp": INSTANTS,
    "date": INSTANTS,
    "money": NUMBERS,
    "score": NUMBERS,
    "integer": NUMBERS,
    "boolean": INTEGERS | {"BOOLEAN"},
}
# What has more than one spelling as text: the key 17 would be 17.0.
NO_TEXT = {"DOUBLE", "FLOAT", "BLOB", "STRUCT", "MAP", "UNION", "INTERVAL"}
EXAMPLES = {
    "text": "varchar(40)",
    "timestamp": "timestamp",
    "date": "date",
    "money": "numeric(18, 2)",
    "score": "numeric(3, 2)",
    "integer": "bigint",
    "boolean": "boolean",
}
CURSORS = INTEGERS | INSTANTS


def _overlap(value: Any) -> Any:
    """`90m`, `1h`, `2d` as a time span; a whole number stays one."""
    found = re.fullmatch(r"(\d+)\s*([smhd])", value) if isinstance(value, str) else None
    if found:
        return timedelta(**{UNITS[found.group(2)]: int(found.group(1))})
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("write a time span such as 30m, 1h or 2d; for a cursor that is a number, a whole number")


class Query(Mapping):
    """How the rows of one canonical entity are read."""

    query: str = Field(min_length=1)
    cursor: str | None = None
    overlap: Annotated[timedelta | int, BeforeValidator(_overlap)] = timedelta(hours=1)


class SqlMapping(Mapping):
    """A mapping file: which entities a database delivers, and the zone of its timestamps that have none."""

    timezone: TimeZone | None = None
    entities: dict[str, Query] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class MappedEntity(Entity):
    """A canonical entity as a query of the source gives it, and the file that holds the query."""

    query: str
    file: MappingFile

    def query_where(self, conditions: list[str]) -> str:
        """Some of the rows, in the database's own SQL."""
        return f"select * from (\n{self.query}\n) as q{where(conditions)}"

    @property
    def described_in(self) -> str:
        return f"{self.file.path}:{self.file.line('entities', self.name)}"

    @property
    def is_mapped_by_hand(self) -> bool:
        return True

    def error(self, problems: Iterable[tuple[str, str]]) -> SourceError:
        """One error for (part, what is wrong with it) pairs, a part being query, cursor or overlap."""
        return self.file.error((("entities", self.name, part), text) for part, text in problems)


@cache
def _read(path: Path, modified_ns: int) -> tuple[MappingFile, SqlMapping]:
    file = MappingFile(path)
    named = file.content.get("entities") if isinstance(file.content, dict) else None
    unknown = [str(name) for name in named if name not in CANONICAL] if isinstance(named, dict) else []
    told = f"there is no such entity. Known are: {', '.join(CANONICAL)}"
    return file, file.read(SqlMapping, [(("entities", name), told) for name in unknown])


def read_mapping(settings: Settings, source: str) -> tuple[MappingFile, SqlMapping]:
    """The mapping of a source and the file it stands in. Raises SourceError with every mistake in it."""
    path = settings.sources_dir / f"{source}.yml"
    if not path.is_file():
        raise SourceError(
            f"{source}: its mapping file {path} is missing. sources/examples has some to begin with; "
            f"or take {source} out of RETENTION_SOURCES."
        )
    return _read(path, path.stat().st_mtime_ns)


def entities(settings: Settings, source: str) -> Sequence[MappedEntity]:
    """The canonical entities that the mapping of a source names, in its order."""
    file, mapping = read_mapping(settings, source)
    return tuple(
        MappedEntity(
            source=source,
            name=name,
            columns=_columns(name, query),
            key=CANONICAL[name].key,
            cursor=query.cursor,
            overlap=query.overlap if query.cursor else None,
            required=frozenset(CANONICAL[name].required) | ({query.cursor} if query.cursor else set()),
            definition=f"{query.query}\n{query.cursor}\n{mapping.timezone or settings.company_timezone}",
            query=query.query.strip().rstrip(";"),
            file=file,
        )
        for name, query in mapping.entities.items()
    )


def _columns(name: str, query: Query) -> dict[str, str]:
    columns = dict.fromkeys(CANONICAL[name].columns, "VARCHAR")
    return columns | ({query.cursor: "VARCHAR"} if query.cursor else {})


class SqlSource(DatabaseSource):
    """A database read by its mapping (the entities `mapped`). See `retention.sources.Source` for the methods."""

    def __init__(self, mapped: Sequence[MappedEntity], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._mapped = mapped
        # What each query gives: the database is asked once per connection.
        self._schemas: dict[str, dict[str, str]] = {}

    def stamp(self, moment: datetime) -> datetime:
        # Timestamps without a zone are given one where they are read.
        return moment

    def check(self) -> None:
        """Let the database look at every query. Raises SourceError with every mistake, each with its line."""
        told = []
        for entity in self._mapped:
            try:
                self.schema(entity)
            except SourceError as error:
                told.append(str(error))
        if told:
            raise SourceError("\n".join(told))

    def schema(self, entity: Entity) -> dict[str, str]:
        """What the query gives. Raises SourceError with every mistake in it and its cursor, each with its line."""
        assert isinstance(entity, MappedEntity)
        if entity.name not in self._schemas:
            native = self._native(entity.query_where([]))
            try:
                described = self.rows(entity.label, f"describe {native}", entity.query)
            except SourceError as error:
                raise entity.error([("query", str(error).removeprefix(f"{entity.label}: "))]) from None
            offered = {row[0]: row[1] for row in described}
            if problems := [*_wrong_columns(entity, offered), *_wrong_cursor(entity, offered)]:
                raise entity.error(problems)
            self._schemas[entity.name] = offered
        return self._schemas[entity.name]

    def _copy(
        self, entity: Entity, names: list[str], bounds: list[str], target: Path, on_rows: Callable[[int], None]
    ) -> None:
        super()._copy(entity, names, bounds, target, on_rows)
        if entity.cursor:
            self._refuse_endless_cursors(entity, target)
        self._refuse_doubled_keys(entity, target)

    def _refuse_endless_cursors(self, entity: Entity, target: Path) -> None:
        cursor = quote(entity.cursor or "")
        endless = f"isinf({cursor})" if self.schema(entity)[entity.cursor or ""] not in INTEGERS else "false"
        count, such_as = self._keys_of(entity, f"{_rows(target)} where {cursor} is null or {endless}")
        if count:
            raise SourceError(
                f"{entity.described_in}: the cursor {entity.cursor} of {entity.label} is empty or infinite in "
                f"{count:,} rows, such as {such_as}: their changes would never be seen. Give a column that always "
                f"holds a moment, or leave the cursor out."
            )

    def _refuse_doubled_keys(self, entity: Entity, target: Path) -> None:
        key = ", ".join(map(quote, entity.key))
        different = "min(hash(row)) <> max(hash(row))"
        doubled = f"(select {key} from {_rows(target)} as row group by {key} having count(*) > 1 and {different})"
        count, such_as = self._keys_of(entity, doubled)
        if count:
            raise SourceError(
                f"{entity.described_in}: {entity.label} gives {count:,} keys ({', '.join(entity.key)}) in several "
                f"different rows, such as {such_as}: which of them is right cannot be known. Often a join gives a row "
                f"for each match; make it give one."
            )

    def _keys_of(self, entity: Entity, rows: str) -> tuple[int, str]:
        """How many rows of a query there are, and the keys of five."""
        key = ", ".join(f"coalesce({quote(name)}::varchar, '')" for name in entity.key)
        query = f"select count(*), list(concat_ws('/', {key}))[1:5] from {rows}"
        ((count, keys),) = self.rows(entity.label, query)
        return count, ", ".join(keys or [])

    def _select(self, entity: Entity, names: list[str]) -> str:
        # Columns that may be absent need not be in the query; timestamps without a zone get one here.
        offered = self.schema(entity)
        types = CANONICAL[entity.name].types
        return ", ".join(
            f"{self._as_landed(name, offered[name], types.get(name, ''))} as {quote(name)}"
            for name in names
            if name in offered
        )

    def _as_landed(self, name: str, given: str, wanted: str) -> str:
        """A value in the form of the contract: instants have a zone, days are the zone's, flags are no numbers, and
        what is text stays text when the database's own type of it changes."""
        assert self._zone
        zone = literal(self._zone.key)
        match wanted, given.partition("(")[0]:
            case "text" | "currency" | "reason", _:
                return f"cast({quote(name)} as varchar)"
            case "date", "TIMESTAMP WITH TIME ZONE":
                return f"cast(timezone({zone}, {quote(name)}) as date)"
            case "date", "TIMESTAMP":
                return f"cast({quote(name)} as date)"
            case "boolean", kind if kind in INTEGERS:
                return f"cast({quote(name)} as boolean)"
            case "integer", "DECIMAL":
                return f"cast({quote(name)} as bigint)"
            case _, "TIMESTAMP":
                # An hour that the clock repeats is the first of the two, in every source.
                instant = f"timezone({zone}, {quote(name)})"
                earlier = f"{instant} - interval 1 hour"
                return f"case when timezone({zone}, {earlier}) = {quote(name)} then {earlier} else {instant} end"
            case _:
                return quote(name)

    def _value(self, entity: Entity, value: datetime | int) -> str:
        kind = self.schema(entity)[entity.cursor or ""]
        if isinstance(value, datetime) and value.tzinfo and kind != "TIMESTAMP WITH TIME ZONE":
            value = value.astimezone(self._zone).replace(tzinfo=None)
        return super()._value(entity, value)


def _rows(path: Path) -> str:
    return f"read_parquet({literal(path)})"


def _wrong_columns(entity: MappedEntity, offered: dict[str, str]) -> Iterator[tuple[str, str]]:
    contract = CANONICAL[entity.name]
    for name in contract.required:
        if name not in offered:
            yield "query", f"the required column {name} is missing; the query gives: {', '.join(offered)}"
    for name, kind in contract.types.items():
        given = offered.get(name, "").partition("(")[0]
        has_text = given not in NO_TEXT and not offered.get(name, "").endswith("]")
        if given and not (given in READABLE[kind] if kind in READABLE else has_text):
            yield (
                "query",
                f"the column {name} is {offered[name]} and must be a {kind}: cast it in the query, "
                f"such as cast(… as {EXAMPLES.get(kind, EXAMPLES['text'])})",
            )


def _wrong_cursor(entity: MappedEntity, offered: dict[str, str]) -> Iterator[tuple[str, str]]:
    if entity.cursor is None:
        return
    kind = offered.get(entity.cursor)
    if kind is None:
        yield "cursor", f"the query gives no column {entity.cursor}; it gives: {', '.join(offered)}"
    elif kind.partition("(")[0] not in CURSORS:
        yield (
            "cursor",
            f"{entity.cursor} is {kind}, which does not grow with time: a cursor is a time, a day or a whole number",
        )
    elif (kind in INTEGERS) != isinstance(entity.overlap, int):
        yield (
            "overlap",
            f"the cursor {entity.cursor} is {kind}: its overlap is "
            + ("a whole number, such as 1000" if kind in INTEGERS else "a time span, such as 1h"),
        )


@contextmanager
def connect(settings: Settings, source: str) -> Iterator[SqlSource]:
    """Attach the database of `source`. What its mapping asks of it is looked at when a load begins."""
    _, mapping = read_mapping(settings, source)
    zone = ZoneInfo(mapping.timezone or settings.company_timezone)
    with connect_database(settings, source, zone, partial(SqlSource, entities(settings, source))) as opened:
        yield opened
