"""A small help-desk with Znuny's tables on either engine, for tests."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

SCHEMA = Path(__file__).parents[2] / "demo" / "systems" / "znuny.sql"
ENGINES = ["postgres", "mariadb"]
STAMP = "2025-01-01 10:00:00"

Execute = Callable[[str], list[tuple]]


def mysql_ddl(text: str) -> str:
    """The demo's tables in MySQL's words, with the types that Znuny gives its columns there."""
    for pattern, replacement in (
        (r"\bif not exists ", ""),  # MySQL itself knows it for tables only, and the database is empty
        (r"\bbigserial primary key", "bigint not null auto_increment primary key"),
        (r"\bserial primary key", "integer not null auto_increment primary key"),
        (r"timestamp\(0\)", "datetime"),
        (r"varchar(?=[,\s])(?!\()", "mediumtext"),
        (r"varchar\(3800\)", "text"),
        (r"--[^\n]*", ""),
    ):
        text = re.sub(pattern, replacement, text)
    return text


@contextmanager
def running(engine: str, postgres_server, mariadb_server) -> Iterator[tuple[Execute, str, str]]:
    """An empty help-desk: (execute SQL as its owner, address of the owner, address of a reader)."""
    ddl = SCHEMA.read_text(encoding="utf-8")
    if engine == "postgres":
        database = postgres_server.database("desk")
        with psycopg.connect(database.owner_url, autocommit=True) as connection:
            connection.execute(ddl)

            def execute(query: str) -> list[tuple]:
                cursor = connection.execute(query.encode())
                return cursor.fetchall() if cursor.description else []

            yield execute, database.owner_url, database.reader_url
        return
    database = mariadb_server.database("desk")
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        for statement in filter(str.strip, mysql_ddl(ddl).split(";")):
            cursor.execute(statement)

        def execute(query: str) -> list[tuple]:
            cursor.execute(query)
            return list(cursor.fetchall())

        yield execute, database.owner_url, database.reader_url


def furnish(execute: Execute) -> None:
    """The lookup tables: types of history, states, senders, one agent, and the dynamic fields of the demo."""
    named = f"(id, name, create_time, change_time) values ({{}}, '{{}}', '{STAMP}', '{STAMP}')"
    for table, names in {
        "ticket_history_type": ["NewTicket", "StateUpdate", "OwnerUpdate", "TicketDynamicFieldUpdate", "Merged"],
        "ticket_state_type": ["new", "open", "closed", "pending auto", "merged"],
        "article_sender_type": ["agent", "system", "customer"],
    }.items():
        for number, name in enumerate(names, start=1):
            execute(f"insert into {table} {named.format(number, name)}")
    for number, name in enumerate(["new", "open", "closed successful", "pending auto close+", "merged"], start=1):
        execute(
            "insert into ticket_state (id, name, type_id, create_time, change_time) "
            f"values ({number}, '{name}', {number}, '{STAMP}', '{STAMP}')"
        )
    execute(
        "insert into users (id, login, first_name, last_name, create_time, change_time) "
        f"values (2, 'a.agent', 'A', 'Agent', '{STAMP}', '{STAMP}')"
    )
    execute(f"insert into queue (id, name, create_time, change_time) values (1, 'Support', '{STAMP}', '{STAMP}')")
    for number, name in enumerate(["Topic", "PromisedDate"], start=1):
        execute(
            "insert into dynamic_field (id, name, label, field_type, object_type, create_time, change_time) "
            f"values ({number}, '{name}', '{name}', 'Text', 'Ticket', '{STAMP}', '{STAMP}')"
        )


def insert_ticket(execute: Execute, number: int, stamp: str, customer: str = "HD-1") -> None:
    execute(
        "insert into ticket (id, tn, title, queue_id, user_id, responsible_user_id, ticket_state_id, customer_id, "
        f"create_time, create_by, change_time) values ({number}, '{number}', 'private', 1, 2, 2, 1, '{customer}', "
        f"'{stamp}', 1, '{stamp}')"
    )


def insert_history(
    execute: Execute, number: int, ticket: int, kind: int, name: str, stamp: str, state: int = 1
) -> None:
    execute(
        "insert into ticket_history (id, name, history_type_id, ticket_id, queue_id, owner_id, state_id, create_time, "
        f"create_by, change_time, change_by) values ({number}, '{name}', {kind}, {ticket}, 1, 2, {state}, '{stamp}', "
        f"2, '{stamp}', 2)"
    )


def insert_article(execute: Execute, number: int, ticket: int, sender: int, visible: int, stamp: str) -> None:
    execute(
        "insert into article (id, ticket_id, article_sender_type_id, is_visible_for_customer, create_time, create_by, "
        f"change_time, change_by) values ({number}, {ticket}, {sender}, {visible}, '{stamp}', 2, '{stamp}', 2)"
    )
