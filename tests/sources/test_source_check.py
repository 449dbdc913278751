"""Harm: an account that could change billing, a clock that is an hour off, a column that is not there or a code that
nobody translated would be found out by wrong numbers, months later."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from typer.testing import CliRunner

from retention.cli import app
from retention.extract import extract_source
from retention.findings import Level
from retention.source_check import check_source
from retention.sources import SourceError, bitrix24_portal
from retention.sources.database import DatabaseSource, connect_database
from tests.publish.company import write_company
from tests.sources import portal as portals


def found(settings, source="znuny"):
    return {finding.subject: finding for finding in check_source(settings, source)}


@pytest.fixture
def desk(znuny):
    database, settings = znuny
    database.execute(
        "insert into users (id, login, pw, first_name, last_name, create_time, change_time) "
        "values (2, 'a.agent', 'secret', 'Anna', 'Agent', now(), now())"
    )
    return database, settings


def test_a_system_that_is_as_it_should_be_has_nothing_wrong_and_nothing_lands(desk, home):
    _, settings = desk
    findings = found(settings)
    assert {finding.level for finding in findings.values()} <= {Level.GOOD, Level.WARNING}
    assert findings["znuny: rights"].text == "the account may only read"
    assert findings["znuny: clock"].level == Level.GOOD
    assert "1 row sampled, 2 columns, each with values" in findings["znuny.users"].text
    assert findings["znuny.article"].level == Level.WARNING
    assert "no row" in findings["znuny.article"].text
    assert not (home / "landing").exists()


def test_no_value_of_the_sample_is_shown(desk):
    _, settings = desk
    assert "a.agent" not in str(found(settings))


def test_an_account_that_could_write_is_warned_of_with_what_it_could_change(postgres_server, desk, settings_for):
    database, settings = desk
    owner = settings.model_copy(update={"znuny_url": None})
    info = database.info
    password = info.password
    url = f"postgresql://{info.user}:{password}@127.0.0.1:{info.port}/{info.dbname}"
    owner = settings_for(sources=["znuny"], znuny_url=url)
    rights = found(owner)["znuny: rights"]
    assert rights.level == Level.WARNING
    assert "insert, update or delete on 1" in rights.text
    everything = settings_for(sources=["znuny"], znuny_url=postgres_server.server.url(info.dbname))
    assert "superuser" in found(everything)["znuny: rights"].text


def test_the_rights_of_a_mysql_account_are_told_too(mariadb_server, settings_for):
    database = mariadb_server.database()
    for url, rights in ((database.reader_url, ""), (database.owner_url, "insert")):
        with connect_database(settings_for(sources=["znuny"], znuny_url=url), "znuny") as source:
            told = source.may_write()
            assert abs(source.clock() - datetime.now(UTC)) < timedelta(seconds=30)
        assert (rights in told) if rights else told == ""


def test_a_clock_that_is_off_is_a_warning(desk, monkeypatch):
    _, settings = desk
    monkeypatch.setattr(DatabaseSource, "clock", lambda self: datetime.now(UTC) - timedelta(minutes=5))
    clock = found(settings)["znuny: clock"]
    assert clock.level == Level.WARNING
    assert "300 s behind" in clock.text


def test_a_missing_column_and_a_table_that_cannot_be_seen_are_told_together(desk):
    database, settings = desk
    database.execute("alter table ticket drop column customer_id")
    database.execute("drop table queue")
    findings = found(settings)
    assert findings["znuny.ticket"].level == Level.WRONG
    assert "customer_id is gone" in findings["znuny.ticket"].text
    assert "no such table" in findings["znuny.queue"].text
    assert findings["znuny.users"].level == Level.GOOD


def test_the_command_fails_only_when_something_is_wrong(desk, home, monkeypatch):
    database, settings = desk
    monkeypatch.setenv("RETENTION_ZNUNY_URL", settings.znuny_url.get_secret_value())
    arguments = ["check", "--source", "znuny", "--home", str(home)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "0 wrong" in result.output
    database.execute("drop table queue")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "1 wrong" in result.output


def test_a_system_that_does_not_answer_is_a_finding_without_its_password(settings_for):
    findings = found(settings_for(sources=["znuny"], znuny_url="postgresql://reader:hunter2@127.0.0.1:1/znuny"))
    assert findings["znuny"].level == Level.WRONG
    assert "does not answer" in findings["znuny"].text
    assert "hunter2" not in str(findings)


def test_a_portal_that_does_not_answer_is_not_said_to_answer(settings_for, monkeypatch):
    monkeypatch.setattr(bitrix24_portal, "sleep", lambda seconds: None)
    (finding,) = check_source(
        settings_for(sources=["bitrix24"], bitrix24_url="http://127.0.0.1:1/rest/1/c0de/"), "bitrix24"
    )
    assert finding.level == Level.WRONG
    assert "does not answer" in finding.text and "c0de" not in finding.text


def test_what_a_mapping_leaves_out_is_not_missed(settings_for, tmp_path):
    (tmp_path / "bitrix24.yml").write_text("companies: {}\n")
    with portals.running(tmp_path) as portal:
        settings = settings_for(sources=["bitrix24"], sources_dir=tmp_path, bitrix24_url=portal.url)
        findings = found(settings, "bitrix24")
    looked_at = {subject.partition(" ")[0] for subject in findings}
    assert {"bitrix24.companies", "bitrix24.deals"} <= looked_at
    assert not {"bitrix24.mailings", "bitrix24.deal_stages"} & looked_at


def test_a_folder_of_files_is_checked_without_what_it_need_not_have(settings_for, tmp_path):
    settings = settings_for(sources=["files"], files_dir=write_company(tmp_path / "files", 4))
    findings = found(settings, "files")
    assert {finding.level for finding in findings.values()} == {Level.GOOD}
    assert "files.clients" in findings and "files.refunds" not in findings
    with (tmp_path / "files" / "clients.csv").open("a") as clients:
        clients.write("c9,Smith, John\n")
    told = found(settings, "files")["files.clients"]
    assert told.level == Level.WRONG
    assert "Smith" not in told.text


CALLS = """entities:
  contacts:
    query: |
      select number as contact_key, client as client_key, way as direction, kind as channel, 'service' as purpose,
        at as occurred_at
      from calls
  termination_requests:
    query: |
      select number as request_key, client as client_key, at as requested_at, kind as outcome, false as bonus_offered
      from calls
"""


@pytest.fixture
def phone(postgres_server, settings_for, tmp_path):
    """Calls of a database that is read by a mapping: (its owner's connection, settings of a reader by the mapping)."""
    database = postgres_server.database("phone")
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("create table calls (number integer, client text, way text, kind text, at timestamptz)")

        def settings(text=CALLS):
            (tmp_path / "phone.yml").write_text(text, encoding="utf-8")
            return settings_for(sources=["phone"], sources_dir=tmp_path, urls={"phone": database.reader_url})

        yield connection, settings


def _call(connection, way, kind, times=1):
    for _ in range(times):
        connection.execute("insert into calls values (1, 'C1', %s, %s, '2025-01-01 09:00+00')", [way, kind])


def test_values_that_are_no_codes_are_told_with_their_number_and_without_themselves(phone):
    connection, settings = phone
    _call(connection, "inbound", "call", times=5)
    _call(connection, "Smith", "call", times=3)
    _call(connection, "INBOUND", "call")
    _call(connection, None, "call")
    findings = found(settings(CALLS.partition("  termination")[0]), "phone")
    direction = findings["phone.contacts: direction"]
    assert direction.level == Level.WRONG
    assert "5 of 10 rows sampled have none of the codes inbound, outbound, and would go" in direction.text
    assert "phone.yml:2" in direction.text
    assert "Smith" not in str(findings)
    assert not {"phone.contacts: channel", "phone.contacts: purpose"} & set(findings)


def test_a_code_that_need_not_be_there_may_be_empty(phone):
    connection, settings = phone
    for outcome in (None, "", "released"):
        _call(connection, "inbound", outcome)
    assert not [subject for subject in found(settings(), "phone") if "termination_requests: " in subject]
    _call(connection, "inbound", "freigegeben")
    told = found(settings(), "phone")["phone.termination_requests: outcome"]
    assert told.level == Level.WRONG
    assert "1 of 4 rows sampled have none of the codes released, retained, withdrawn (or nothing)" in told.text


def test_a_mistake_in_a_mapping_hides_neither_rights_and_clock_nor_the_other_queries(phone):
    connection, settings = phone
    _call(connection, "inbound", "call")
    findings = found(settings(CALLS.replace("way as direction", "wey as direction")), "phone")
    assert findings["phone: rights"].level == findings["phone: clock"].level == Level.GOOD
    assert findings["phone.contacts"].level == Level.WRONG
    assert "phone.yml:3: entities.contacts.query: " in findings["phone.contacts"].text
    assert "1 row sampled" in findings["phone.termination_requests"].text
    assert "phone" not in {subject for subject, finding in findings.items() if finding.level == Level.WRONG}


def test_a_value_that_the_database_cannot_convert_is_not_shown(phone):
    connection, settings = phone
    _call(connection, "Ivan Petrov", "call")
    broken = CALLS.replace("way as direction", "cast(way as numeric)::text as direction")
    told = found(settings(broken), "phone")["phone.contacts"]
    assert told.level == Level.WRONG
    assert "invalid input syntax for type numeric" in told.text
    with pytest.raises(SourceError, match="invalid input syntax for type numeric") as failed:
        extract_source(settings(broken), "phone")
    assert "Ivan" not in told.text + str(failed.value)


def test_a_clock_that_cannot_be_read_ends_neither_the_check_nor_a_load_with_an_error_of_its_own(desk, monkeypatch):
    _, settings = desk

    def fails(self):
        raise KeyError("https://portal.example/rest/1/s3cr3t/")

    monkeypatch.setattr(DatabaseSource, "clock", fails)
    findings = found(settings)
    assert findings["znuny"].level == Level.WRONG
    assert "KeyError at test_source_check.py:" in findings["znuny"].text
    with pytest.raises(SourceError, match=r"znuny: KeyError at test_source_check\.py:") as failed:
        extract_source(settings, "znuny")
    assert "s3cr3t" not in str(findings) + str(failed.value)


def test_an_error_that_nobody_foresaw_hides_neither_the_other_tables_nor_shows_a_row(desk, monkeypatch):
    _, settings = desk
    real = DatabaseSource.sample

    def fails(self, entity, rows=10):
        if entity.name == "ticket":
            raise OverflowError("Anna Agent is too large")
        return real(self, entity, rows)

    monkeypatch.setattr(DatabaseSource, "sample", fails)
    findings = found(settings)
    assert findings["znuny.ticket"].level == Level.WRONG
    assert "OverflowError at test_source_check.py:" in findings["znuny.ticket"].text
    assert "Anna" not in str(findings)
    assert findings["znuny.users"].level == Level.GOOD
