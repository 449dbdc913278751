"""Harm: a merge that moves messages to another ticket, a ticket that an administrator deletes or a value that is
written anew, at the moment a load is cut off, would leave the warehouse with another past than the help-desk has."""

from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.extract import extract_source
from retention.settings import load_settings
from retention.sources import database, entities
from tests.sources import desks
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

BEGINNING = datetime(2025, 1, 1, 10)
TICKET = st.integers(1, 4)
CUT = st.none() | st.tuples(st.sampled_from(POINTS), st.integers(1, 6))
# Minutes by which a row is committed after its stamp: within the overlap of two hours, and long after it.
AGE = st.sampled_from([0, 0, 0, 30, 110, 5_000])
STEP = st.one_of(
    st.tuples(st.just("open"), TICKET, AGE),
    st.tuples(st.just("write"), TICKET, st.integers(1, 3), st.booleans(), AGE),
    st.tuples(st.just("state"), TICKET, st.integers(1, 4), AGE),
    st.tuples(st.just("promise"), TICKET, st.integers(1, 28), AGE),
    st.tuples(st.just("topic"), TICKET, st.sampled_from(["price", "delivery"])),
    st.tuples(st.just("move"), TICKET, st.sampled_from(["HD-1", "HD-2"])),
    st.tuples(st.just("merge"), TICKET, TICKET),
    st.tuples(st.just("show"), TICKET),
    st.tuples(st.just("delete"), TICKET),
    st.tuples(st.just("load"), st.booleans(), CUT),
    st.tuples(st.just("wait"), st.integers(1, 300)),
)
# What is compared: column list here, and the query whose rows the help-desk itself holds against it.
COMPARED = {
    "ticket": ("id, customer_id, change_time::varchar", "select id, customer_id, change_time from ticket"),
    "ticket_history": (
        "id, ticket_id, history_type_id, state_id, coalesce(name, ''), change_time::varchar",
        "select id, ticket_id, history_type_id, state_id, case when history_type_id in (2, 4) then name else '' end, "
        "change_time from ticket_history where history_type_id in (1, 2, 3, 4)",
    ),
    "article": (
        "id, ticket_id, article_sender_type_id, change_time::varchar",
        "select id, ticket_id, article_sender_type_id, change_time from article where is_visible_for_customer = 1",
    ),
    "dynamic_field_value": ("id, object_id, value_text", "select id, object_id, value_text from dynamic_field_value"),
}


class Desk:
    """A help-desk that does what Znuny does to its tables, with a clock of its own."""

    def __init__(self, execute) -> None:
        self.execute = execute
        self.minute = 0
        self.next_id = 100
        for table in ("dynamic_field_value", "article", "ticket_history", "ticket"):
            execute(f"delete from {table}")

    def stamp(self, age: int = 0) -> str:
        self.minute += 1
        # A second of its own for each change: two within a second and one key are told apart by nobody.
        return str(BEGINNING + timedelta(minutes=self.minute - age, seconds=self.minute % 60))

    def number(self) -> int:
        self.next_id += 1
        return self.next_id

    def is_open(self, ticket: int) -> bool:
        return bool(self.execute(f"select 1 from ticket where id = {ticket}"))

    def do(self, step: tuple) -> None:
        match step:
            case ("open", ticket, age) if not self.is_open(ticket):
                stamp = self.stamp(age)
                desks.insert_ticket(self.execute, ticket, stamp)
                desks.insert_history(self.execute, self.number(), ticket, 1, "%%private", stamp)
            case ("write", ticket, sender, visible, age) if self.is_open(ticket):
                desks.insert_article(self.execute, self.number(), ticket, sender, int(visible), self.stamp(age))
                self.touch(ticket)
            case ("state", ticket, state, age) if self.is_open(ticket):
                desks.insert_history(self.execute, self.number(), ticket, 2, "%%open%%new%%", self.stamp(age), state)
                self.touch(ticket)
            case ("promise", ticket, day, age) if self.is_open(ticket):
                name = f"%%FieldName%%PromisedDate%%Value%%2025-02-{day:02}%%OldValue%%"
                desks.insert_history(self.execute, self.number(), ticket, 4, name, self.stamp(age))
                self.touch(ticket)
            case ("topic", ticket, topic) if self.is_open(ticket):
                self.execute(f"delete from dynamic_field_value where object_id = {ticket}")
                self.execute(
                    "insert into dynamic_field_value (id, field_id, object_id, value_text) "
                    f"values ({self.number()}, 1, {ticket}, '{topic}')"
                )
            case ("move", ticket, customer) if self.is_open(ticket):
                self.execute(f"update ticket set customer_id = '{customer}' where id = {ticket}")
                self.touch(ticket)
            case ("merge", ticket, main) if ticket != main and self.is_open(ticket) and self.is_open(main):
                # Articles and the history that belongs to them go over, under the ids they have.
                stamp = self.stamp()
                for table in ("article", "ticket_history"):
                    moved = f"set ticket_id = {main}, change_time = '{stamp}'"
                    self.execute(f"update {table} {moved} where ticket_id = {ticket} and id % 2 = 0")
                desks.insert_history(self.execute, self.number(), ticket, 2, "%%open%%merged%%", stamp, 5)
                self.touch(ticket)
                self.touch(main)
            case ("show", ticket):
                # To show or hide an article is the one change of a row that leaves its ticket as it was.
                shown = f"is_visible_for_customer = 1 - is_visible_for_customer, change_time = '{self.stamp()}'"
                self.execute(f"update article set {shown} where ticket_id = {ticket} and id % 3 = 0")
            case ("delete", ticket):
                for table in ("article", "ticket_history"):
                    self.execute(f"delete from {table} where ticket_id = {ticket}")
                self.execute(f"delete from dynamic_field_value where object_id = {ticket}")
                self.execute(f"delete from ticket where id = {ticket}")
            case ("wait", minutes):
                self.minute += minutes

    def touch(self, ticket: int) -> None:
        self.execute(f"update ticket set change_time = '{self.stamp()}' where id = {ticket}")

    def rows(self) -> dict[str, list[tuple]]:
        found = {name: self.execute(query) for name, (_, query) in COMPARED.items()}
        return {
            name: sorted(tuple(str(v) if isinstance(v, datetime) else v for v in row) for row in rows)
            for name, rows in found.items()
        }


@pytest.fixture(params=desks.ENGINES)
def desk(request, postgres_server, monkeypatch):
    # As at a large help-desk: an ordinary load goes by the newest rows and the tickets that changed.
    monkeypatch.setattr(database, "PAGE_ROWS", 2)
    monkeypatch.setattr(database, "RECENT_ROWS", 2)
    mariadb_server = request.getfixturevalue("mariadb_server") if request.param == "mariadb" else None
    with desks.running(request.param, postgres_server, mariadb_server) as (execute, _, reader_url):
        desks.furnish(execute)
        yield execute, reader_url


def landed(settings) -> dict[str, list[tuple]]:
    known = {entity.name: entity for entity in entities(settings, "znuny")}
    return {name: present(settings, known[name], columns) for name, (columns, _) in COMPARED.items()}


def test_after_any_history_and_a_reconciliation_the_landed_rows_are_those_of_the_help_desk(desk):
    execute, url = desk

    @bounded
    @given(st.lists(STEP, min_size=8, max_size=25))
    def live(steps):
        znuny = Desk(execute)
        with TemporaryDirectory() as home:
            settings = load_settings(home, sources=["znuny"], znuny_url=url, as_of="2026-01-01")
            go_through(settings, "znuny", steps, znuny.do)
            load(settings, "znuny", whole=True)
            assert landed(settings) == znuny.rows()
            assert leftovers(settings.home) == []

    live()


def test_the_canonical_messages_are_those_of_the_help_desk_after_a_long_life(desk):
    execute, url = desk

    @once
    @given(long_lives(STEP, 30, 40))
    def live(steps):
        znuny = Desk(execute)
        for ticket in (1, 2, 3):
            znuny.do(("open", ticket, 0))
            znuny.do(("write", ticket, 3, True, 0))
        with TemporaryDirectory() as home:
            settings = load_settings(home, sources=["znuny"], znuny_url=url, as_of="2026-01-01")
            go_through(settings, "znuny", steps, znuny.do)
            load(settings, "znuny", whole=True)
            authors = {1: "employee", 2: "auto", 3: "client"}
            expected = [(str(n), str(ticket), authors[sender]) for n, ticket, sender, _ in znuny.rows()["article"]]
            assert canonical(settings, "messages", "message_key, ticket_key, author") == sorted(expected)

    live()


def test_a_merge_arrives_with_the_next_ordinary_load(desk, tmp_path):
    execute, url = desk
    settings = load_settings(tmp_path, sources=["znuny"], znuny_url=url, as_of="2026-01-01")
    znuny = Desk(execute)
    for step in (
        ("open", 1, 0),
        ("open", 2, 0),
        *[("write", 1, 3, True, 0)] * 4,
        ("wait", 5_000),
        ("write", 2, 1, True, 0),
    ):
        znuny.do(step)
    extract_source(settings, "znuny")
    znuny.do(("merge", 1, 2))
    extract_source(settings, "znuny")
    assert landed(settings) == znuny.rows()
    assert {ticket for _, ticket, _, _ in landed(settings)["article"]} == {1, 2}


@pytest.mark.parametrize("point", POINTS[:4])
def test_a_load_that_is_killed_is_made_good_by_the_next(desk, tmp_path: Path, point):
    execute, url = desk
    settings = load_settings(tmp_path, sources=["znuny"], znuny_url=url, as_of="2026-01-01")
    znuny = Desk(execute)
    for step in (("open", 1, 0), ("write", 1, 3, True, 0), ("topic", 1, "price")):
        znuny.do(step)
    extract_source(settings, "znuny")
    for step in (("open", 2, 0), ("write", 1, 1, True, 0), ("state", 1, 3, 0)):
        znuny.do(step)
    before = landed(settings)
    assert killed_load(settings, "znuny", point, 1)
    assert landed(settings) == before
    extract_source(settings, "znuny")
    assert landed(settings) == znuny.rows()
