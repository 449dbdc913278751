"""Harm: rows that were repaired at the source long ago could only be had by deleting everything and beginning anew; or
reading an old month again would make the next load skip all that happened since."""

from datetime import date, datetime

import pytest
from typer.testing import CliRunner

from retention import landing
from retention.cli import app
from retention.extract import Reread, extract_source
from retention.sources import SourceError, entities

# 21:00 in Greenwich is midnight in Moscow, where the company is.
STAMPS = {1: "2025-01-09 20:59:59", 2: "2025-01-09 21:00:00", 3: "2025-01-10 20:59:59", 4: "2025-01-10 21:00:00"}
TENTH = Reread(date(2025, 1, 10), date(2025, 1, 11))


@pytest.fixture
def desk(znuny):
    database, settings = znuny
    for number, stamp in STAMPS.items():
        database.execute(
            "insert into ticket (id, tn, title, queue_id, user_id, responsible_user_id, ticket_state_id, customer_id, "
            "create_time, create_by, change_time) values (%s, %s, '', 1, 1, 1, 1, 'HD-1', %s, 1, %s)",
            [number, str(number), stamp, stamp],
        )
    extract_source(settings, "znuny")
    # Repaired by hand: content changed, and nothing that a cursor could see.
    database.execute("update ticket set customer_id = 'HD-2'")
    return database, settings


def ticket(settings):
    (entity,) = [entity for entity in entities(settings, "znuny") if entity.name == "ticket"]
    return entity


def landed(settings, reread=None):
    (result,) = [result for result in extract_source(settings, "znuny", None, reread) if result.entity == "ticket"]
    return result.rows, result.deleted


def customers(landed_rows, settings):
    return {number for number, customer in landed_rows(settings, "znuny__ticket", "id, customer_id") if "2" in customer}


def test_a_range_of_company_days_is_read_again_and_nothing_beside_it(desk, landed_rows):
    _, settings = desk
    assert landed(settings, TENTH) == (2, 0)
    assert customers(landed_rows, settings) == {2, 3}
    assert landed(settings, TENTH) == (0, 0)


def test_a_range_may_be_open_on_either_side(desk, landed_rows):
    _, settings = desk
    assert landed(settings, Reread(end=date(2025, 1, 10))) == (1, 0)
    assert customers(landed_rows, settings) == {1}
    assert landed(settings, Reread(first=date(2025, 1, 11))) == (1, 0)
    assert customers(landed_rows, settings) == {1, 4}


def test_a_backfill_moves_neither_the_cursor_nor_the_day_up_to_which_the_source_is_known(desk, settings_for):
    database, settings = desk
    before = landing.cursor_reached(settings, ticket(settings))
    known = landing.complete_until(settings, "znuny")
    # Stamped after the cursor, inside the range: read by the backfill, and by the next load with all before it.
    for number, stamp in ((5, "2025-03-05 10:00:00"), (6, "2025-02-01 10:00:00")):
        database.execute(
            "insert into ticket (id, tn, title, queue_id, user_id, responsible_user_id, ticket_state_id, customer_id, "
            "create_time, create_by, change_time) values (%s, %s, '', 1, 1, 1, 1, 'HD-1', %s, 1, %s)",
            [number, str(number), stamp, stamp],
        )
    later = settings_for(sources=["znuny"], znuny_url=settings.znuny_url, as_of="2026-02-01")
    assert landed(later, Reread(date(2025, 3, 1), date(2025, 4, 1))) == (1, 0)
    assert landing.cursor_reached(settings, ticket(settings)) == before == datetime(2025, 1, 10, 21)
    assert landing.entity_complete_until(settings, ticket(settings)) == known == date(2026, 1, 1)
    assert landed(later)[0] >= 1
    assert landing.cursor_reached(settings, ticket(settings)) == datetime(2025, 3, 5, 10)


def test_a_backfill_before_the_first_load_is_a_first_load(znuny):
    database, settings = znuny
    database.execute(
        "insert into ticket (id, tn, title, queue_id, user_id, responsible_user_id, ticket_state_id, customer_id, "
        f"create_time, create_by, change_time) values (1, '1', '', 1, 1, 1, 1, 'HD-1', '{STAMPS[1]}', 1, '{STAMPS[1]}')"
    )
    assert landed(settings, Reread(date(2025, 6, 1), date(2025, 7, 1))) == (1, 0)
    assert landing.complete_until(settings, "znuny") == date(2026, 1, 1)


def test_a_full_reload_finds_what_was_changed_in_silence_and_what_was_deleted(desk, landed_rows):
    database, settings = desk
    database.execute("delete from ticket where id = 1")
    assert landed(settings) == (2, 0)  # only what lies in the overlap of the cursor
    assert landed(settings, Reread()) == (1, 1)
    assert customers(landed_rows, settings) == {2, 3, 4}
    assert landed(settings, Reread()) == (0, 0)


def test_a_range_that_holds_no_day_is_refused():
    with pytest.raises(SourceError, match="the second day must be the later one"):
        Reread(date(2025, 2, 1), date(2025, 2, 1))


def test_the_command_line_reads_a_range_or_everything_again(desk, home, landed_rows, monkeypatch):
    _, settings = desk
    monkeypatch.setenv("RETENTION_ZNUNY_URL", settings.znuny_url.get_secret_value())

    def extract(*options: str):
        arguments = ["extract", "--source", "znuny", "--home", str(home), "--as-of", "2026-01-01", *options]
        return CliRunner().invoke(app, arguments)

    result = extract("--from", "2025-01-10", "--until", "2025-01-11")
    assert result.exit_code == 0, result.output
    assert "reading again" in result.output
    assert customers(landed_rows, settings) == {2, 3}
    assert extract("--full").exit_code == 0
    assert customers(landed_rows, settings) == {1, 2, 3, 4}
    both = extract("--full", "--from", "2025-01-10")
    assert both.exit_code == 1
    assert "leave --from and --until out" in both.output
