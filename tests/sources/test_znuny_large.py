"""Harm: an hourly load that scans the largest tables of a help-desk, since Znuny has no index on `change_time`; or one
that spares them and leaves out what changed there."""

import json
import re
from datetime import date

import pytest

from retention.extract import Reread, extract_source, reconcile_source
from retention.sources import database, entities
from retention.sources.database import DatabaseSource
from tests.sources import desks
from tests.sources.histories import present

TICKETS, PER_TICKET = 2_000, 10
LARGE = ("ticket_history", "article")
LONG_AGO, MORNING, NOON = "2024-01-01 10:00:00", "2025-03-01 08:00:00", "2025-03-01 12:00:00"


@pytest.fixture(params=desks.ENGINES)
def desk(request, postgres_server, settings_for, monkeypatch):
    """A help-desk with twenty thousand rows of history and as many articles, of which the newest hundred are recent:
    (its engine, execute SQL as its owner, settings of a reader)."""
    monkeypatch.setattr(database, "PAGE_ROWS", 4_000)
    monkeypatch.setattr(database, "RECENT_ROWS", 100)
    mariadb_server = request.getfixturevalue("mariadb_server") if request.param == "mariadb" else None
    with desks.running(request.param, postgres_server, mariadb_server) as (execute, _, reader_url):
        desks.furnish(execute)
        _fill(execute)
        execute("analyze" if request.param == "postgres" else f"analyze table ticket, {', '.join(LARGE)}")
        yield request.param, execute, settings_for(sources=["znuny"], znuny_url=reader_url)


def _fill(execute) -> None:
    digits = " union all ".join(f"select {digit} as d" for digit in range(10))
    numbers = (
        f"select a.d + 10 * b.d + 100 * c.d + 1000 * e.d as n from ({digits}) as a, ({digits}) as b, ({digits}) as c"
    )
    execute(
        "insert into ticket (id, tn, queue_id, user_id, responsible_user_id, ticket_state_id, customer_id, "
        f"create_time, create_by, change_time) select n + 1, n + 1, 1, 2, 2, 1, 'HD-1', '{LONG_AGO}', 1, "
        f"'{LONG_AGO}' from ({numbers}, ({digits}) as e) as numbers where n < {TICKETS}"
    )
    execute(
        "insert into ticket_history (id, name, history_type_id, ticket_id, queue_id, owner_id, state_id, create_time, "
        f"create_by, change_time, change_by) select (t.id - 1) * {PER_TICKET} + d + 1, '%%', d % 5 + 1, t.id, 1, 2, 1, "
        f"'{LONG_AGO}', 2, '{LONG_AGO}', 2 from ticket as t, ({digits}) as digits"
    )
    execute(
        "insert into article (id, ticket_id, article_sender_type_id, is_visible_for_customer, create_time, create_by, "
        "change_time, change_by) select id, ticket_id, history_type_id % 3 + 1, 1, create_time, 2, change_time, 2 "
        "from ticket_history"
    )
    # The last ticket is of another day, or the overlap would reach back to all the others.
    for table, column in (("ticket", "id"), ("ticket_history", "ticket_id"), ("article", "ticket_id")):
        execute(f"update {table} set change_time = '{desks.STAMP}' where {column} = {TICKETS}")


def _landed(settings, name: str, key: int) -> list[tuple]:
    (entity,) = [entity for entity in entities(settings, "znuny") if entity.name == name]
    return [row for row in present(settings, entity, "id, ticket_id, change_time::varchar") if row[0] == key]


def _new(results) -> dict[str, int]:
    return {result.entity: result.rows for result in results if result.entity in LARGE}


def _asked(monkeypatch) -> list[str]:
    """Every query that a load sends to the database from now on."""
    asked: list[str] = []
    native = DatabaseSource._native

    def recorded(self, query: str) -> str:
        asked.append(query)
        return native(self, query)

    monkeypatch.setattr(DatabaseSource, "_native", recorded)
    return asked


def _scanned(engine: str, execute, query: str) -> set[str]:
    """The tables that the database would read from end to end for a query."""
    if engine == "mariadb":
        # MySQL has one column more before that of the kind of access.
        return {row[2] for row in execute(f"explain {query}") if {"ALL", "index"} & set(row)}
    (plan,) = execute(f"explain (format json) {query}")[0][0]
    return set(re.findall(r'"Seq Scan".*?"Relation Name": "(\w+)"', json.dumps(plan)))


def test_a_merge_of_old_tickets_arrives_with_the_next_ordinary_load(desk):
    _, execute, settings = desk
    extract_source(settings, "znuny")
    # Five rows of each; what is read of the history are three of them.
    for table in LARGE:
        execute(f"update {table} set ticket_id = 8, change_time = '{NOON}' where ticket_id = 7 and id % 2 = 0")
    execute(f"update ticket set change_time = '{NOON}' where id in (7, 8)")
    assert _new(extract_source(settings, "znuny")) == {"ticket_history": 3, "article": 5}
    for table in LARGE:
        assert _landed(settings, table, 62) == [(62, 8, NOON)]


def test_new_rows_arrive_though_their_ticket_was_not_touched(desk):
    _, execute, settings = desk
    extract_source(settings, "znuny")
    desks.insert_history(execute, 50_000, 7, 1, "%%private", NOON)
    desks.insert_article(execute, 50_000, 7, 3, 1, NOON)
    extract_source(settings, "znuny")
    for table in LARGE:
        assert _landed(settings, table, 50_000) == [(50_000, 7, NOON)]


@pytest.mark.parametrize("thorough", [reconcile_source, lambda settings, source: _backfill(settings)])
def test_what_an_ordinary_load_passes_over_is_found_by_a_reconciliation_and_by_a_backfill(desk, thorough):
    _, execute, settings = desk
    for table in LARGE:
        execute(f"delete from {table} where id = 62")
    extract_source(settings, "znuny")
    # Rows committed late, under an id that was given out long ago; and one that changed without its ticket.
    desks.insert_history(execute, 62, 7, 2, "%%new%%open%%", MORNING)
    desks.insert_article(execute, 62, 7, 3, 1, MORNING)
    execute(f"update article set article_sender_type_id = 2, change_time = '{MORNING}' where id = 71")
    extract_source(settings, "znuny")
    for table in LARGE:
        assert _landed(settings, table, 62) == []
    thorough(settings, "znuny")
    for table in LARGE:
        assert _landed(settings, table, 62) == [(62, 7, MORNING)]
    assert _landed(settings, "article", 71) == [(71, 8, MORNING)]


def _backfill(settings) -> None:
    extract_source(settings, "znuny", None, Reread(date(2025, 3, 1), date(2025, 3, 2)))


def test_an_hourly_load_reads_no_large_table_from_end_to_end(desk, monkeypatch):
    engine, execute, settings = desk
    extract_source(settings, "znuny")
    execute(f"update ticket set change_time = '{NOON}' where id <= 3")
    asked = _asked(monkeypatch)
    extract_source(settings, "znuny")
    large = [query for query in asked if re.search(rf"from ({'|'.join(LARGE)})\b", query)]
    assert len(large) >= 6
    for query in large:
        assert not _scanned(engine, execute, query) & set(LARGE), query
    # That this test would notice: the same question without pages.
    for entity in entities(settings, "znuny"):
        if entity.name in LARGE:
            plain = f"select * from (\n{entity.query}\n) as q where change_time >= '{NOON}'"
            assert _scanned(engine, execute, plain) >= {entity.name}


def test_the_rows_of_many_changed_tickets_are_read_in_pages(desk, monkeypatch):
    _, execute, settings = desk
    extract_source(settings, "znuny")
    monkeypatch.setattr(database, "PAGE_PARENTS", 100)
    execute(f"update ticket set change_time = '{NOON}' where id <= 250")
    execute(f"update article set change_time = '{NOON}' where ticket_id <= 250")
    asked = _asked(monkeypatch)
    assert _new(extract_source(settings, "znuny"))["article"] == 2_500
    lists = [query.count(",", query.index("ticket_id in (")) + 1 for query in asked if "ticket_id in (" in query]
    # And the last ticket, which the overlap reaches.
    assert lists == [100, 100, 51] * 2


def test_where_more_pages_would_be_read_than_the_table_has_it_is_read_by_its_ids(desk, monkeypatch):
    _, execute, settings = desk
    extract_source(settings, "znuny")
    monkeypatch.setattr(database, "PAGE_PARENTS", 100)
    execute(f"update ticket set change_time = '{NOON}'")
    asked = _asked(monkeypatch)
    extract_source(settings, "znuny")
    assert not any("ticket_id in (" in query for query in asked)
    assert sum("from article where (is_visible" in query for query in asked) == TICKETS * PER_TICKET / 4_000
