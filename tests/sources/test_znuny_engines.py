"""Harm: a help-desk on MySQL that reads otherwise than one on PostgreSQL; and a report that makes agents wait, because
a read held a lock or a transaction for as long as a large table takes."""

from contextlib import closing, contextmanager
from urllib.parse import unquote, urlsplit

import duckdb
import psycopg
import pymysql
import pytest

from retention.extract import extract_source, reconcile_source
from retention.sources import database, entities
from retention.sources.database import connect_database
from tests.sources import desks
from tests.sources.histories import present
from tests.sources.staging import stage

COLUMNS = {
    "ticket": "id, queue_id, customer_id, create_time::varchar, create_by",
    "ticket_history": "id, name, history_type_id, ticket_id, owner_id, state_id, create_time::varchar",
    "article": "id, ticket_id, article_sender_type_id, create_by, change_time::varchar",
    "dynamic_field_value": "id, field_id, object_id, value_text, value_int",
    "users": "id, login",
}


@contextmanager
def desk(engine, postgres_server, mariadb_server, settings_for):
    with desks.running(engine, postgres_server, mariadb_server) as (execute, owner_url, reader_url):
        desks.furnish(execute)
        yield execute, owner_url, settings_for(sources=["znuny"], znuny_url=reader_url)


def _live(execute) -> None:
    for number in range(1, 8):
        desks.insert_ticket(execute, number, f"2025-01-0{number} 10:00:00", f"HD-Ж{number}")
        desks.insert_history(execute, number * 10, number, 1, "%%1%%Raw%%private", f"2025-01-0{number} 10:00:00")
        desks.insert_history(
            execute, number * 10 + 1, number, 4, "%%FieldName%%PromisedDate%%Value%%2025-02-01%%OldValue%%",
            f"2025-01-0{number} 11:00:00",
        )  # fmt: skip
        desks.insert_history(
            execute, number * 10 + 2, number, 4, "%%FieldName%%Phone%%Value%%+79", "2025-01-09 11:00:00"
        )
        desks.insert_article(execute, number, number, 3, number % 2, f"2025-01-0{number} 10:00:00")
        execute(
            f"insert into dynamic_field_value (id, field_id, object_id, value_text) values ({number}, 1, {number}, 'x')"
        )


def _landed(settings):
    known = {entity.name: entity for entity in entities(settings, "znuny")}
    return {name: present(settings, known[name], columns) for name, columns in COLUMNS.items()}


def test_both_engines_land_the_same_rows_whatever_the_size_of_a_page(
    postgres_server, mariadb_server, settings_for, tmp_path, monkeypatch
):
    found = []
    for engine in desks.ENGINES:
        for page in (100_000, 3):
            monkeypatch.setattr(database, "PAGE_ROWS", page)
            with desk(engine, postgres_server, mariadb_server, settings_for) as (execute, _, settings):
                _live(execute)
                settings = settings.model_copy(update={"home": tmp_path / f"{engine}-{page}"})
                extract_source(settings, "znuny")
                found.append(_landed(settings))
                reconciled = reconcile_source(settings, "znuny")
                assert [(landed.rows, landed.deleted) for landed in reconciled if landed.rows or landed.deleted] == []
    assert found[0]["ticket"][0] == (1, 1, "HD-Ж1", "2025-01-01 10:00:00", 1)
    assert len(found[0]["ticket_history"]) == 14
    assert {row[1] for row in found[0]["ticket_history"]} == {
        None,
        "%%FieldName%%PromisedDate%%Value%%2025-02-01%%OldValue%%",
    }
    assert [row[0] for row in found[0]["article"]] == [1, 3, 5, 7]
    assert all(other == found[0] for other in found[1:])


@pytest.mark.parametrize("engine", desks.ENGINES)
def test_a_reader_never_makes_the_help_desk_wait(
    engine, postgres_server, mariadb_server, settings_for, monkeypatch, tmp_path
):
    monkeypatch.setattr(database, "PAGE_ROWS", 2)
    with desk(engine, postgres_server, mariadb_server, settings_for) as (execute, owner_url, settings):
        _live(execute)
        impatient = _impatient(engine, owner_url)
        worked = []

        def work_between_pages(rows: int) -> None:
            # The strongest lock there is, between any two pages: it would wait for a transaction that is still open.
            impatient(f"alter table ticket add column extra_{len(worked)} integer")
            impatient("update ticket set title = 'changed' where id = 1")
            worked.append(rows)

        (ticket,) = [entity for entity in entities(settings, "znuny") if entity.name == "ticket"]
        with connect_database(settings, "znuny") as source:
            source.extract(ticket, None, tmp_path / "ticket.parquet", work_between_pages)
        assert worked == [2, 4, 6, 7]


def _impatient(engine: str, url: str):
    """Run statements of the owner that give up when they would have to wait for a second."""
    if engine == "postgres":

        def run(statement: str) -> None:
            with psycopg.connect(url, autocommit=True, options="-c lock_timeout=1s") as connection:
                connection.execute(statement.encode())

        return run
    parts = urlsplit(url)

    def run_there(statement: str) -> None:
        connection = pymysql.connect(
            host=parts.hostname, port=parts.port, user=parts.username, password=unquote(parts.password or ""),
            database=parts.path.strip("/"), autocommit=True, init_command="set lock_wait_timeout = 1",
        )  # fmt: skip
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(statement)

    return run_there


def test_a_transaction_that_stays_open_would_be_noticed(postgres_server, mariadb_server, settings_for):
    with desk("postgres", postgres_server, mariadb_server, settings_for) as (execute, owner_url, settings):
        _live(execute)
        with connect_database(settings, "znuny") as source:
            source.connection.execute("begin")
            source.connection.execute("select count(*) from source.ticket").fetchall()
            with pytest.raises(psycopg.errors.LockNotAvailable):
                _impatient("postgres", owner_url)("alter table ticket add column extra integer")


def test_the_session_itself_cannot_write_and_does_not_wait_for_locks(postgres_server, settings_for):
    database_ = postgres_server.database("desk")
    # Even with the rights of the owner.
    settings = settings_for(sources=["znuny"], znuny_url=database_.owner_url)
    with connect_database(settings, "znuny") as source:
        shown = source.native("a setting", "select current_setting('default_transaction_read_only')")
        assert shown == [("on",)]
        assert source.native("a setting", "select current_setting('lock_timeout')") == [("10s",)]


def test_a_ticket_waits_for_a_third_party_by_its_service_or_its_queue(postgres_server, settings_for, tmp_path):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "znuny.yml").write_text(
        'third_party:\n  services: ["The carrier\'s"]\n  queues: [Operators]\n', encoding="utf-8"
    )
    with desk("postgres", postgres_server, None, settings_for) as (execute, _, settings):
        stamps = f"'{desks.STAMP}', '{desks.STAMP}'"
        execute(f"insert into service (id, name, create_time, change_time) values (5, 'The carrier''s', {stamps})")
        execute(f"insert into queue (id, name, create_time, change_time) values (6, 'Operators', {stamps})")
        for number in (1, 2, 3):
            desks.insert_ticket(execute, number, desks.STAMP)
        execute("update ticket set service_id = 5 where id = 2")
        execute("update ticket set queue_id = 6 where id = 3")
        settings = settings.model_copy(update={"sources_dir": tmp_path / "sources"})
        extract_source(settings, "znuny")
    with duckdb.connect(str(stage(settings, ["znuny"])), read_only=True) as connection:
        classes = connection.execute("select ticket_key, sla_class from staging.stg_znuny__tickets").fetchall()
    assert sorted(classes) == [(1, "ours"), (2, "third_party"), (3, "third_party")]
