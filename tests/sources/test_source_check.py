"""Harm: an account that could change billing, a clock that is an hour off or a column that is not there would be found
out by wrong numbers, months later."""

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from retention.cli import app
from retention.findings import Level
from retention.source_check import check_source
from retention.sources import bitrix24_portal
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
