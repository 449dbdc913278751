"""Harm: the help-desk holds what clients wrote and their addresses, in more places than the obvious ones; and it
deletes, merges and hides rows without leaving a trace in the column that a naive reader would watch."""

from datetime import datetime

import duckdb
import pytest

from retention import landing
from retention.extract import extract_source, reconcile_source
from retention.sources import entities

STAMP = "2025-01-01 10:00:00"
SECRETS = ("someone@example.org", "+79001234567", "my password is", "urgent: invoice")


@pytest.fixture
def desk(znuny):
    """A help-desk with one ticket, its history and its articles, full of private texts."""
    database, settings = znuny
    by = f"'{STAMP}', 1, '{STAMP}', 1"
    database.execute(
        f"""
        insert into ticket_history_type (id, name, create_time, change_time) values
            (1, 'NewTicket', '{STAMP}', '{STAMP}'), (2, 'StateUpdate', '{STAMP}', '{STAMP}'),
            (3, 'OwnerUpdate', '{STAMP}', '{STAMP}'), (4, 'TicketDynamicFieldUpdate', '{STAMP}', '{STAMP}'),
            (5, 'SendAnswer', '{STAMP}', '{STAMP}');
        insert into dynamic_field (id, name, label, field_type, object_type, create_time, change_time) values
            (1, 'Topic', 'Topic', 'Dropdown', 'Ticket', '{STAMP}', '{STAMP}'),
            (2, 'PromisedDate', 'Promised', 'Date', 'Ticket', '{STAMP}', '{STAMP}'),
            (3, 'Phone', 'Phone', 'Text', 'Ticket', '{STAMP}', '{STAMP}');
        insert into users (id, login, pw, first_name, last_name, create_time, change_time)
            values (2, 'a.agent', 'my password is x', 'A', 'Agent', '{STAMP}', '{STAMP}');
        insert into ticket (id, tn, title, queue_id, user_id, responsible_user_id, ticket_state_id, customer_id,
                customer_user_id, create_time, create_by, change_time)
            values (1, '1', 'urgent: invoice', 1, 2, 2, 1, 'HD-1', 'someone@example.org', '{STAMP}', 1, '{STAMP}'),
                (9, '9', 'spam', 1, 2, 2, 1, 'someone@example.org', 'someone@example.org', '{STAMP}', 1, '{STAMP}');
        insert into ticket_history (id, name, history_type_id, ticket_id, queue_id, owner_id, state_id,
                create_time, create_by, change_time, change_by) values
            (1, '%%1%%Raw%%urgent: invoice', 1, 1, 1, 2, 1, {by}),
            (2, '%%new%%open%%', 2, 1, 1, 2, 1, {by}),
            (3, '%%a.agent%%2', 3, 1, 1, 2, 1, {by}),
            (4, '%%FieldName%%PromisedDate%%Value%%2025-01-09%%OldValue%%', 4, 1, 1, 2, 1, {by}),
            (5, '%%FieldName%%Phone%%Value%%+79001234567%%OldValue%%', 4, 1, 1, 2, 1, {by}),
            (6, '%%"Some One" <someone@example.org>', 5, 1, 1, 2, 1, {by});
        insert into article (id, ticket_id, article_sender_type_id, is_visible_for_customer, create_time, create_by,
                change_time, change_by) values
            (1, 1, 3, 1, {by}), (2, 1, 1, 0, {by});
        insert into article_data_mime (article_id, a_from, a_subject, a_body, create_time, create_by, change_time,
                change_by) values
            (1, 'someone@example.org', 'urgent: invoice', 'my password is 123, call +79001234567', {by});
        insert into dynamic_field_value (id, field_id, object_id, value_text) values
            (1, 1, 1, 'delivery'), (2, 3, 1, '+79001234567');
        """
    )
    return database, settings


def _landed(results, entity):
    (result,) = [result for result in results if result.entity == entity]
    return result.rows, result.deleted


def test_no_text_address_or_phone_lands_from_any_of_the_places_that_hold_one(desk, home):
    _, settings = desk
    extract_source(settings, "znuny")
    reconcile_source(settings, "znuny")
    parts = list((home / "landing").rglob("*.parquet"))
    assert parts
    # Compressed pages would hide a text from a search in bytes: the values themselves are looked through.
    for part in parts:
        rows = duckdb.execute(f"select * from read_parquet('{part}')").fetchall()
        for secret in SECRETS:
            assert secret not in str(rows), part


def test_what_is_needed_of_the_history_is_there(desk, landed_rows):
    _, settings = desk
    extract_source(settings, "znuny")
    assert landed_rows(settings, "znuny__ticket_history", "id, name") == [
        (1, None),
        (2, "%%new%%open%%"),
        (3, None),
        (4, "%%FieldName%%PromisedDate%%Value%%2025-01-09%%OldValue%%"),
    ]
    assert landed_rows(settings, "znuny__dynamic_field_value", "id, value_text") == [(1, "delivery")]


def test_rows_that_a_merge_moved_to_another_ticket_land_again(desk, landed_rows):
    database, settings = desk
    extract_source(settings, "znuny")
    database.execute("update article set ticket_id = 2, change_time = '2025-01-02 10:00:00' where id = 1")
    assert _landed(extract_source(settings, "znuny"), "article") == (1, 0)
    assert [row[1] for row in landed_rows(settings, "znuny__article", "_load_id, ticket_id")] == [1, 2]


def test_an_article_that_is_hidden_from_the_client_disappears_and_one_that_is_shown_appears(desk, landed_rows):
    database, settings = desk
    extract_source(settings, "znuny")
    database.execute("update article set is_visible_for_customer = 1 - is_visible_for_customer")
    assert _landed(reconcile_source(settings, "znuny"), "article") == (1, 1)
    assert landed_rows(settings, "znuny__article", "id") == [(2,)]


def test_a_deleted_ticket_takes_its_history_along_at_reconciliation(desk, landed_rows):
    database, settings = desk
    extract_source(settings, "znuny")
    for table, column in (("ticket_history", "ticket_id"), ("article", "ticket_id"), ("ticket", "id")):
        database.execute(f"delete from {table} where {column} = 1")
    results = reconcile_source(settings, "znuny")
    assert _landed(results, "ticket") == (0, 1)
    assert _landed(results, "ticket_history") == (0, 4)
    assert landed_rows(settings, "znuny__article") == []


def test_a_value_that_was_written_anew_is_found_by_its_number(desk, landed_rows):
    database, settings = desk
    extract_source(settings, "znuny")
    database.execute("delete from dynamic_field_value where id = 1")
    database.execute("insert into dynamic_field_value (id, field_id, object_id, value_text) values (9, 1, 1, 'price')")
    assert _landed(extract_source(settings, "znuny"), "dynamic_field_value") == (1, 0)
    assert _landed(reconcile_source(settings, "znuny"), "dynamic_field_value") == (0, 1)
    assert landed_rows(settings, "znuny__dynamic_field_value", "id, value_text") == [(9, "price")]


def test_a_renamed_queue_lands_anew_and_a_removed_one_goes_at_once(desk, landed_rows):
    database, settings = desk
    database.execute(f"insert into queue (id, name, create_time, change_time) values (1, 'A', '{STAMP}', '{STAMP}')")
    extract_source(settings, "znuny")
    database.execute("update queue set name = 'B'")
    assert _landed(extract_source(settings, "znuny"), "queue") == (1, 0)
    database.execute("delete from queue")
    assert _landed(extract_source(settings, "znuny"), "queue") == (0, 1)
    assert landed_rows(settings, "znuny__queue") == []


def test_cursors_are_kept_in_the_clock_of_the_help_desk(desk):
    _, settings = desk
    extract_source(settings, "znuny")
    manifest = landing.loads(settings, "znuny", "ticket")[0].manifest
    assert manifest["cursor"] == {
        "column": "change_time",
        "since": None,
        "from": STAMP.replace(" ", "T"),
        "to": STAMP.replace(" ", "T"),
    }
    (ticket,) = [entity for entity in entities(settings, "znuny") if entity.name == "ticket"]
    assert landing.cursor_reached(settings, ticket) == datetime(2025, 1, 1, 10)
