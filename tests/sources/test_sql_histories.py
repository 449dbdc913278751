"""Harm: a row that was inserted, changed, deleted, committed late or delivered twice while loads were cut off would be
missing, doubled or stale for good, and no single example would show it."""

from contextlib import closing
from datetime import datetime, timedelta
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.extract import extract_source
from retention.settings import load_settings
from retention.sources import entities
from tests.sources.histories import (
    POINTS,
    bounded,
    canonical,
    go_through,
    killed_load,
    leftovers,
    load,
    long_lives,
    once,
    present,
)

MAPPING = """
timezone: UTC
entities:
  payments:
    query: select number as payment_key, client as client_key, amount, state as status, paid_at, changed_at from payment
    cursor: changed_at
    overlap: 1h
  invoice_lines:
    query: select invoice as invoice_key, line_no, 'fee' as kind, amount from line
"""
BEGINNING = datetime(2025, 1, 1)
MONEY = st.integers(1, 10_000).map(lambda cents: f"{cents / 100:.2f}")
NUMBER = st.integers(1, 6)
CUT = st.none() | st.tuples(st.sampled_from(POINTS), st.integers(1, 4))
# Minutes before now that a row is stamped: now, within the overlap, and long before it.
AGE = st.sampled_from([0, 0, 10, 45, 180, 10_000])
STEP = st.one_of(
    st.tuples(st.just("put"), NUMBER, MONEY, AGE),
    st.tuples(st.just("delete"), NUMBER),
    st.tuples(st.just("line"), NUMBER, st.integers(1, 2), MONEY),
    st.tuples(st.just("unline"), NUMBER, st.integers(1, 2)),
    st.tuples(st.just("load"), st.booleans(), CUT),
    st.tuples(st.just("wait"), st.integers(1, 300)),
)
TABLES = (
    "create table payment (number varchar(20) primary key, client varchar(20) not null, "
    "amount numeric(18, 2) not null, state varchar(20) not null, paid_at timestamp not null, "
    "changed_at timestamp not null)",
    "create table line (invoice varchar(20), line_no int, amount numeric(18, 2), primary key (invoice, line_no))",
)


class Billing:
    """A billing database on one of the two engines, with a clock of its own."""

    def __init__(self, execute, url: str) -> None:
        self.execute, self.url = execute, url
        self.minute = 0
        self.stamps: dict[int, datetime] = {}
        for table in ("payment", "line"):
            execute(f"drop table if exists {table}")
        for statement in TABLES:
            execute(statement)

    def do(self, step: tuple) -> None:
        match step:
            case ("put", number, amount, age):
                self.put(number, amount, age)
            case ("delete", number):
                self.execute(f"delete from payment where number = 'p{number}'")
            case ("line", number, line, amount):
                self.line(number, line, amount)
            case ("unline", number, line):
                self.unline(number, line)
            case ("wait", minutes):
                self.minute += minutes

    def put(self, number: int, amount: str, age: int) -> None:
        """Insert or change a payment, stamped `age` minutes ago: a transaction that was committed that much later.

        It was not stamped before the last change of that payment, which it would have had to wait for.
        """
        self.minute += 1
        stamp = BEGINNING + timedelta(minutes=self.minute - age, seconds=self.minute % 60)
        # A system stamps each change; two with one stamp and the same key are told apart by nobody.
        stamp = max(stamp, self.stamps.get(number, BEGINNING - timedelta(days=9)) + timedelta(seconds=1))
        self.stamps[number] = stamp
        self.execute(f"delete from payment where number = 'p{number}'")
        self.execute(
            f"insert into payment values ('p{number}', 'c{number}', {amount}, 'succeeded', '{BEGINNING}', '{stamp}')"
        )

    def line(self, number: int, line: int, amount: str) -> None:
        self.unline(number, line)
        self.execute(f"insert into line values ('i{number}', {line}, {amount})")

    def unline(self, number: int, line: int) -> None:
        self.execute(f"delete from line where invoice = 'i{number}' and line_no = {line}")

    def rows(self) -> tuple[list[tuple], list[tuple]]:
        payments = self.execute("select number, cast(amount as char(20)), changed_at from payment order by 1")
        lines = self.execute("select invoice, line_no, cast(amount as char(20)) from line order by 1, 2")
        return (
            [(number, amount.strip(), str(stamp)) for number, amount, stamp in payments],
            [(invoice, line, amount.strip()) for invoice, line, amount in lines],
        )


@pytest.fixture(params=["postgres", "mariadb"])
def billing(request):
    if request.param == "postgres":
        database = request.getfixturevalue("postgres_server").database("histories")
        with psycopg.connect(database.owner_url, autocommit=True) as connection:

            def execute(query: str) -> list[tuple]:
                cursor = connection.execute(query)
                return cursor.fetchall() if cursor.description else []

            yield lambda: Billing(execute, database.reader_url)
    else:
        database = request.getfixturevalue("mariadb_server").database("histories")
        with closing(database.connect()) as connection, connection.cursor() as cursor:

            def execute(query: str) -> list[tuple]:
                cursor.execute(query)
                return list(cursor.fetchall())

            yield lambda: Billing(execute, database.reader_url)


def settings_of(home: str, folder, url: str):
    return load_settings(home, sources=["shop"], sources_dir=folder, shop_url=url, as_of="2026-01-01")


def landed(settings) -> tuple[list[tuple], list[tuple]]:
    payments, lines = entities(settings, "shop")
    return (
        present(settings, payments, "payment_key, amount::varchar, left(changed_at::varchar, 19)"),
        present(settings, lines, "invoice_key, line_no, amount::varchar"),
    )


@pytest.fixture
def mapping(tmp_path):
    (tmp_path / "shop.yml").write_text(MAPPING)
    return tmp_path


def test_after_any_history_and_a_reconciliation_the_landed_rows_are_those_of_the_source(billing, mapping):
    @bounded
    @given(st.lists(STEP, min_size=5, max_size=25))
    def live(steps):
        shop = billing()
        with TemporaryDirectory() as home:
            settings = settings_of(home, mapping, shop.url)
            go_through(settings, "shop", steps, shop.do)
            load(settings, "shop", whole=True)
            assert landed(settings) == shop.rows()
            assert leftovers(settings.home) == []
            # Twice is the same as once.
            assert [(done.rows, done.deleted) for done in extract_source(settings, "shop")] == [(0, 0), (0, 0)]

    live()


def test_the_canonical_payments_are_those_of_the_source_after_a_long_life(billing, mapping):
    @once
    @given(long_lives(STEP, 30, 40))
    def live(steps):
        shop = billing()
        for number in (1, 2, 3):
            shop.put(number, "1.00", 0)
        with TemporaryDirectory() as home:
            settings = settings_of(home, mapping, shop.url)
            go_through(settings, "shop", steps, shop.do)
            load(settings, "shop", whole=True)
            payments = [(number, amount) for number, amount, _ in shop.rows()[0]]
            assert canonical(settings, "payments", "payment_key, cast(amount as decimal(18, 2))::varchar") == payments

    live()


@pytest.mark.parametrize("point", POINTS)
def test_a_load_that_is_killed_at_any_point_is_made_good_by_the_next(billing, mapping, tmp_path, point):
    shop = billing()
    settings = settings_of(str(tmp_path / "home"), mapping, shop.url)
    shop.put(1, "1.00", 0)
    shop.line(1, 1, "1.00")
    extract_source(settings, "shop")
    shop.put(1, "2.00", 0)
    shop.put(2, "5.00", 0)
    shop.unline(1, 1)
    shop.line(2, 1, "3.00")
    before = landed(settings)
    assert killed_load(settings, "shop", point, 1)
    if point != "write_tombstones":
        assert landed(settings) == before
    extract_source(settings, "shop")
    assert landed(settings) == shop.rows()
    assert leftovers(settings.home) == []


def test_a_landing_zone_that_takes_a_half_finished_load_for_a_whole_one_would_be_noticed(billing, mapping, tmp_path):
    shop = billing()
    settings = settings_of(str(tmp_path / "home"), mapping, shop.url)
    shop.put(1, "1.00", 0)
    extract_source(settings, "shop")
    newest = max((settings.landing / "shop" / "payments").glob("load=*"))
    (newest / "_manifest.json").unlink()
    assert landed(settings) != shop.rows()
