"""Harm prevented: a reader of the source systems that can write to them, or a database open without its password."""

import psycopg
import pytest

from local import postgres


def test_the_reader_sees_tables_made_after_it_and_cannot_write(postgres_server):
    database = postgres_server.database()
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("create table thing (id int primary key)")
        owner.execute("insert into thing values (1)")
    with psycopg.connect(database.reader_url) as reader:
        assert reader.execute("select id from thing").fetchall() == [(1,)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute("insert into thing values (2)")
    with psycopg.connect(database.reader_url) as reader:
        reader.execute("set transaction read write")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("insert into thing values (2)")


def test_one_database_is_closed_to_the_roles_of_another(postgres_server):
    first, second = postgres_server.database(), postgres_server.database()
    crossed = first.reader_url.removesuffix(first.name) + second.name
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(crossed)


def test_a_wrong_password_is_refused(postgres_server):
    url = postgres_server.server.url(password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_a_role_is_made_again_without_an_error_and_takes_the_new_password(postgres_server):
    server = postgres_server.server
    for password in ("first", "second"):
        postgres.ensure_role(server, "again", password)
        postgres.ensure_database(server, "again", "again", ["again"])
    psycopg.connect(server.url("again", "again", "second")).close()
