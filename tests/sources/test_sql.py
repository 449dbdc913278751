"""Harm: a company's own database would be read with a wrong clock, without its late rows, or not at all, and a mistake
in its mapping would be found by whoever reads the charts instead of whoever wrote the file."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import duckdb
import psycopg
import pytest
from typer.testing import CliRunner

from retention import landing
from retention.build import effective_vars
from retention.cli import app
from retention.extract import extract_source, reconcile_source
from retention.settings import load_settings
from retention.sources import SourceError, entities
from retention.sources.database import scrub

TABLE = """create table calls (
    number integer primary key, client varchar(20), inward {boolean}, at {naive}, changed {naive}, phone varchar(20)
)"""
MAPPING = """timezone: Asia/Tokyo
entities:
  contacts:
    query: |
      select concat('c', number) as contact_key, client as client_key,
        case when inward then 'inbound' else 'outbound' end as direction,
        'call' as channel, 'service' as purpose, at as occurred_at, changed
      from calls -- all of them
    cursor: changed
    overlap: 1h
"""


@pytest.fixture
def mapped(settings_for, tmp_path):
    """Settings of a source `phone` with this mapping and address."""

    def make(text, url=None, **more):
        folder = tmp_path / "sources"
        folder.mkdir(exist_ok=True)
        (folder / "phone.yml").write_text(text, encoding="utf-8")
        given = {"sources": ["phone"], "sources_dir": folder, "urls": {"phone": url} if url else {}}
        return settings_for(**(given | more))

    return make


@pytest.fixture(params=["postgres", "mariadb"])
def phone(request, mapped):
    """An empty table of calls: (what runs a statement of its owner, settings of a reader)."""
    database = request.getfixturevalue(f"{request.param}_server").database("phone")
    if request.param == "postgres":
        opened, naive = psycopg.connect(database.owner_url, autocommit=True), "timestamp"
    else:
        opened, naive = database.connect(), "datetime(6)"
    with closing(opened) as connection:

        def execute(statement):
            connection.cursor().execute(statement)

        execute(TABLE.format(boolean="boolean", naive=naive))
        yield execute, mapped(MAPPING, database.reader_url)


def _call(number, changed, at="2025-01-01 09:00", client="C1"):
    return f"insert into calls values ({number}, '{client}', true, '{at}', '{changed}', '+7 900 000-00-00')"


def _rows(results):
    (result,) = results
    return result.rows, result.deleted


def test_a_mapped_query_lands_canonical_rows_with_the_clock_of_the_file(phone, landed_rows):
    execute, settings = phone
    execute(_call(1, "2025-01-01 09:00"))
    assert _rows(extract_source(settings, "phone")) == (1, 0)
    columns = "contact_key, client_key, direction, channel, purpose, occurred_at = timestamptz '2025-01-01 00:00:00+00'"
    assert landed_rows(settings, "phone__contacts", columns) == [("c1", "C1", "inbound", "call", "service", True)]
    assert b"+7 900" not in landing.folders(settings, "phone", "contacts", "rows")[0].part.read_bytes()


def test_a_database_without_a_schema_public_is_read(postgres_server, mapped, landed_rows):
    database = postgres_server.database("phone")
    reader = database.reader_url.partition("://")[2].partition(":")[0]
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("drop schema public")
        connection.execute("create schema telephony")
        connection.execute("set search_path = telephony")
        connection.execute(TABLE.format(boolean="boolean", naive="timestamp"))
        connection.execute(_call(1, "2025-01-01 09:00"))
        connection.execute(f"grant usage on schema telephony to {reader}")
        connection.execute(f"grant select on calls to {reader}")
    settings = mapped(MAPPING.replace("from calls", "from telephony.calls"), database.reader_url)
    extract_source(settings, "phone")
    assert landed_rows(settings, "phone__contacts", "contact_key") == [("c1",)]


def test_changes_late_rows_and_deletions_of_a_mapped_query_are_found(phone, landed_rows):
    execute, settings = phone
    execute(_call(1, "2025-01-02 09:00"))
    assert _rows(extract_source(settings, "phone")) == (1, 0)
    assert _rows(extract_source(settings, "phone")) == (0, 0)
    execute(_call(2, "2025-01-02 08:30"))
    assert _rows(extract_source(settings, "phone")) == (1, 0)
    execute(_call(3, "2024-12-01 09:00"))
    assert _rows(extract_source(settings, "phone")) == (0, 0)
    execute("delete from calls where number = 1")
    assert _rows(reconcile_source(settings, "phone")) == (1, 1)
    assert landed_rows(settings, "phone__contacts", "contact_key") == [("c2",), ("c3",)]
    assert _rows(reconcile_source(settings, "phone")) == (0, 0)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("client as client_key,", "", ["phone.yml:4: ", "the required column client_key is missing"]),
        ("at as occurred_at", "'soon' as occurred_at", ["phone.yml:4: ", "occurred_at is VARCHAR", "cast it"]),
        ("from calls", "from cals", ["phone.yml:4: ", "entities.contacts.query", "cals"]),
        ("at as occurred_at, changed", "at as occurred_at", ["phone.yml:9: ", "the query gives no column changed"]),
        (
            "occurred_at, changed",
            "occurred_at, client as changed",
            ["phone.yml:9: ", "changed is VARCHAR, which does not grow"],
        ),
        ("occurred_at, changed", "occurred_at, number as changed", ["phone.yml:10: ", "its overlap is a whole number"]),
    ],
)
def test_a_mistake_that_only_the_database_knows_is_told_with_its_line(phone, mapped, before, after, told):
    _, settings = phone
    assert before in MAPPING
    broken = mapped(MAPPING.replace(before, after), settings.url("phone").get_secret_value())
    with pytest.raises(SourceError) as error:
        extract_source(broken, "phone")
    for part in told:
        assert part in str(error.value)
    assert not landing.loads(broken, "phone", "contacts")


FEEDBACK = """  feedback:
    query: |
      select number as feedback_key, client as client_key, 'survey' as kind, inward as is_public,
        at as submitted_at
      from cals
"""


def test_a_mistake_in_one_query_keeps_all_from_landing_and_no_mistake_hides_another(phone, mapped):
    execute, settings = phone
    execute(_call(1, "2025-01-01 09:00"))
    url = settings.url("phone").get_secret_value()
    with pytest.raises(SourceError, match=r"phone\.yml:12: entities\.feedback\.query: .*cals"):
        extract_source(mapped(MAPPING + FEEDBACK, url), "phone")
    assert not landing.loads(settings, "phone", "contacts")
    with pytest.raises(SourceError) as error:
        extract_source(mapped(MAPPING.replace("cursor: changed", "cursor: stamp") + FEEDBACK, url), "phone")
    lines = [line.partition("phone.yml:")[2].partition(": ")[0] for line in str(error.value).splitlines()]
    assert lines == ["9", "12"]


def test_all_mistakes_of_a_file_are_told_at_once_without_a_database(mapped):
    settings = mapped(
        "timezone: Mars/Base\nentities:\n  contacts:\n    cursr: a\n    overlap: soon\n"
        "  calls: {query: select 1}\n  deals: 7\ntimezone: UTC\n  \n"
    )
    with pytest.raises(SourceError) as error:
        entities(settings, "phone")
    lines = str(error.value).splitlines()
    assert [line.partition("phone.yml:")[2].partition(": ")[0] for line in lines] == ["3", "4", "5", "6", "7", "8"]
    assert "timezone is there twice" in lines[-1]
    assert "entities.calls: there is no such entity" in lines[3]
    assert lines[4].endswith("entities.deals: it must have parts of its own, each a name and a value")


def test_an_overlap_that_would_skip_rows_is_refused(mapped):
    with pytest.raises(SourceError, match=r"phone\.yml:10: entities\.contacts\.overlap: write a time span"):
        entities(mapped(MAPPING.replace("overlap: 1h", "overlap: -5")), "phone")


def test_a_broken_mapping_of_a_source_that_is_not_enabled_stops_nothing(mapped, landed_rows):
    settings = mapped("entities: 7\n", sources=["znuny"])
    assert effective_vars(settings)["sql_sources"] == {}
    assert landed_rows(settings, "znuny__ticket") == []


def test_the_canonical_layer_is_told_what_a_mapping_delivers(mapped):
    assert effective_vars(mapped(MAPPING))["sql_sources"] == {"phone": ["contacts"]}


def test_an_address_of_any_name_is_read_from_environment_and_file_and_stays_secret(home, tmp_path, monkeypatch):
    home.mkdir()
    (home / "retention.env").write_text("RETENTION_PHONE_URL=mysql://u:from-file@h/d\n")
    assert load_settings(home).url("phone").get_secret_value() == "mysql://u:from-file@h/d"
    monkeypatch.setenv("RETENTION_PHONE_URL", "mysql://u:from-environment@h/d")
    settings = load_settings(home)
    assert settings.url("phone").get_secret_value() == "mysql://u:from-environment@h/d"
    assert "from-" not in repr(settings) + json.dumps(settings.model_dump(mode="json"))


def test_the_rows_of_a_mapped_query_stand_in_the_canonical_layer(phone, tmp_path):
    execute, settings = phone
    execute(_call(1, "2025-01-01 09:00"))
    extract_source(settings, "phone")
    execute("update calls set client = 'C2', changed = '2025-01-02 09:00'")
    extract_source(settings, "phone")
    build_file = tmp_path / "built.duckdb"
    with duckdb.connect(str(build_file)) as connection:
        landing.create_landing_views(connection, settings)
    delivered = effective_vars(settings)["sql_sources"]
    given = {"sources": settings.sources, "sql_sources": delivered, "as_of": "2026-01-01"}
    command = [
        *(str(Path(sys.executable).parent / "dbt"), "--quiet", "build", "--exclude-resource-type", "test", "unit_test"),
        *("--select", "+stg_canonical__contacts", "--project-dir", "dbt_project", "--profiles-dir", "dbt_project"),
        *("--vars", json.dumps(given), "--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs")),
    ]
    environment = os.environ | {"RETENTION_BUILD_FILE": str(build_file), "RETENTION_SEEDS": "seeds"}
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with duckdb.connect(str(build_file)) as connection:
        rows = connection.execute("select source, contact_key, client_key from staging.stg_canonical__contacts")
        assert rows.fetchall() == [("phone", "c1", "C2")]


def test_a_cursor_that_is_empty_stops_the_load_with_the_rows_that_have_none(phone):
    execute, settings = phone
    execute(_call(1, "2025-01-01 09:00"))
    execute("insert into calls (number, client, inward, at) values (7, 'C1', true, '2025-01-01 09:00')")
    with pytest.raises(
        SourceError, match=r"phone\.yml:3: the cursor changed of .* is empty or infinite in 1 rows, such as c7"
    ):
        extract_source(settings, "phone")


def test_a_cursor_that_never_comes_stops_the_load(postgres_server, mapped):
    database = postgres_server.database("phone")
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute(TABLE.format(boolean="boolean", naive="timestamp"))
        connection.execute(_call(1, "infinity"))
        with pytest.raises(SourceError, match=r"phone\.yml:3: the cursor changed .* infinite in 1 rows, such as c1"):
            extract_source(mapped(MAPPING, database.reader_url), "phone")


def test_a_key_with_several_different_rows_stops_the_load(phone, mapped):
    execute, settings = phone
    execute(_call(1, "2025-01-01 09:00"))
    execute(_call(2, "2025-01-01 09:00", at="2025-01-01 10:00"))
    execute(_call(3, "2025-01-01 09:00", client="C2"))
    execute(_call(4, "2025-01-01 09:00", client="C2"))  # the same row twice does no harm
    settings = mapped(MAPPING.replace("concat('c', number) as", "client as"), settings.urls["phone"].get_secret_value())
    with pytest.raises(SourceError, match=r"phone\.yml:3: .* 1 keys \(contact_key\) in several .*, such as C1: which"):
        extract_source(settings, "phone")
    assert landing.loads(settings, "phone", "contacts") == []


def test_an_hour_that_the_clock_repeats_is_the_first_of_the_two(phone, mapped, landed_rows):
    execute, settings = phone
    for number, clock in ((1, "01:30"), (2, "02:30"), (3, "03:30")):
        execute(_call(number, "2025-01-01 09:00", at=f"2024-10-27 {clock}"))
    settings = mapped(MAPPING.replace("Asia/Tokyo", "Europe/Berlin"), settings.urls["phone"].get_secret_value())
    extract_source(settings, "phone")
    rows = landed_rows(settings, "phone__contacts", "contact_key, timezone('UTC', occurred_at)::varchar")
    assert rows == [("c1", "2024-10-26 23:30:00"), ("c2", "2024-10-27 00:30:00"), ("c3", "2024-10-27 02:30:00")]


def test_a_key_that_gets_another_type_is_read_anew(phone, mapped, landed_rows):
    execute, settings = phone
    execute(_call(1, "2025-01-01 09:00"))
    url = settings.urls["phone"].get_secret_value()
    extract_source(mapped(MAPPING.replace("concat('c', number)", "number"), url), "phone")
    assert _rows(extract_source(mapped(MAPPING, url), "phone")) == (1, 1)
    assert _rows(reconcile_source(mapped(MAPPING, url), "phone")) == (0, 0)
    assert landed_rows(settings, "phone__contacts", "contact_key") == [("c1",)]


def test_a_key_that_is_a_fraction_is_refused_with_its_line(phone, mapped):
    _, settings = phone
    text = MAPPING.replace("concat('c', number)", "number / cast(1 as double precision)")
    if "mysql" in settings.urls["phone"].get_secret_value():
        text = MAPPING.replace("concat('c', number)", "number * 1e0")
    told = r"phone\.yml:4: .*the column contact_key is DOUBLE and must be a text: cast it in the query"
    with pytest.raises(SourceError, match=told):
        extract_source(mapped(text, settings.urls["phone"].get_secret_value()), "phone")


def test_a_cursor_that_moved_back_is_told_with_its_line_and_the_row_is_landed_as_it_is_now(phone, landed_rows):
    execute, settings = phone
    execute(_call(1, "2025-03-01 09:00"))
    execute(_call(2, "2025-03-01 09:00"))
    extract_source(settings, "phone")
    execute("update calls set client = 'C9', changed = '2025-01-01 09:00' where number = 1")
    assert _rows(extract_source(settings, "phone")) == (0, 0)
    with pytest.raises(SourceError) as told:
        reconcile_source(settings, "phone")
    assert "phone.yml:3: " in str(told.value)
    assert "contacts: an older changed than when they landed have 1 rows, such as c1" in str(told.value)
    # What landed before is gone: with the later stamp it would stand.
    assert landed_rows(settings, "phone__contacts", "contact_key, client_key") == [("c1", "C9"), ("c2", "C1")]
    assert _rows(reconcile_source(settings, "phone")) == (0, 0)


ODD = """create table odd (
    number integer primary key, "updatedAt" timestamp, day date, started timestamp, active integer, note varchar(20)
)"""
ODD_MAPPING = """timezone: Europe/Moscow
entities:
  contracts:
    query: |
      select number as contract_key, 'c' as client_key, 'p' as plan, cast(1.5 as numeric(18, 2)) as price,
        'month' as billing_period, started as started_on, active as is_trial, note as end_reason, {cursor} from odd
    cursor: {cursor}
"""


@pytest.fixture
def odd(postgres_server, mapped):
    """A table with capital letters, times where days are meant and numbers where flags are; its settings by cursor."""
    database = postgres_server.database("odd")
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute(ODD)

        def settings(cursor='"updatedAt"', before="", after=""):
            text = ODD_MAPPING.format(cursor=cursor).replace('cursor: "updatedAt"', "cursor: updatedAt")
            return mapped(text.replace(before, after) if before else text, database.reader_url)

        yield connection, settings


def _odd(connection, number, stamp="2025-01-02 10:00", day="2025-01-02", note="request"):
    connection.execute("delete from odd where number = %s", [number])
    connection.execute("insert into odd values (%s, %s, %s, '2025-01-02 00:00', 1, %s)", [number, stamp, day, note])


def test_days_flags_and_a_cursor_with_capital_letters_are_read_as_they_are_meant(odd, landed_rows):
    connection, settings = odd
    for number in (1, 2):
        _odd(connection, number)
    assert _rows(extract_source(settings(), "phone")) == (2, 0)
    _odd(connection, 2, "2025-01-02 11:00", note="expired")
    assert _rows(extract_source(settings(), "phone")) == (1, 0)
    columns = "contract_key, started_on::varchar, is_trial::varchar"
    assert set(landed_rows(settings(), "phone__contracts", columns)) == {
        ("1", "2025-01-02", "true"),
        ("2", "2025-01-02", "true"),
    }


def test_another_cursor_begins_anew_and_goes_on_from_its_own(odd, landed_rows):
    connection, settings = odd
    _odd(connection, 5_000_000)
    by_number = settings("number")
    (path,) = by_number.sources_dir.glob("phone.yml")
    path.write_text(path.read_text() + "    overlap: 10\n")
    extract_source(by_number, "phone")
    by_time = settings()
    assert _rows(extract_source(by_time, "phone"))[1] == 0
    _odd(connection, 7, "2025-01-02 10:30")
    assert _rows(extract_source(by_time, "phone")) == (1, 0)


def test_a_cursor_of_days_is_reconciled_and_a_day_in_the_future_hides_nothing(odd, landed_rows):
    connection, settings = odd
    _odd(connection, 1, day="2124-01-01")
    by_day = settings("day")
    extract_source(by_day, "phone")
    _odd(connection, 2, day="2025-01-05")
    _odd(connection, 3, day="2020-01-05")
    assert _rows(reconcile_source(by_day, "phone")) == (2, 0)
    assert _rows(reconcile_source(by_day, "phone")) == (0, 0)


def test_reconciliation_after_a_change_of_the_mapping_reads_everything_anew(odd, landed_rows):
    connection, settings = odd
    for number in (1, 2):
        _odd(connection, number)
    extract_source(settings(), "phone")
    _odd(connection, 3, "2025-03-01 10:00")
    changed = settings(before="note as end_reason", after="'expired' as end_reason")
    reconcile_source(changed, "phone")
    newest = landed_rows(changed, "phone__contracts", "contract_key, end_reason")
    assert {("1", "expired"), ("2", "expired"), ("3", "expired")} <= set(newest)


def test_a_column_that_is_taken_out_of_the_query_is_empty_from_then_on(odd, landed_rows):
    connection, settings = odd
    _odd(connection, 1)
    extract_source(settings(), "phone")
    without = settings(before="note as end_reason,")
    assert _rows(extract_source(without, "phone")) == (1, 0)
    assert ("1", None) in landed_rows(without, "phone__contracts", "contract_key, end_reason")


@pytest.mark.parametrize("password", ["12/34secret", "34/secret", "pa[secret", "p@secret/x", "p@secret"])
def test_a_password_with_odd_letters_is_in_no_error(settings_for, mapped, password):
    settings = mapped(MAPPING, f"postgresql://reader:{password}@127.0.0.1:1/db")
    with pytest.raises(SourceError) as told:
        extract_source(settings, "phone")
    assert "secret" not in str(told.value)
    assert "write / as %2F" in str(told.value)
    assert told.value.__cause__ is None and told.value.__context__ is None


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
@pytest.mark.parametrize("password", ["e", "ct", "data"])
def test_a_short_password_leaves_the_message_whole(mapped, scheme, password):
    with pytest.raises(SourceError) as told:
        extract_source(mapped(MAPPING, f"{scheme}://reader:{password}@127.0.0.1:1/db"), "phone")
    assert "the database at 127.0.0.1:1/db does not answer: " in str(told.value)
    assert "Connection refused" in str(told.value)
    assert "*" not in str(told.value)


@pytest.mark.parametrize("password", ["e", "on", ".", "@", "a/b", "p@s s", "hunter2", "p@ss/w:rd"])
@pytest.mark.parametrize(
    "message",
    [
        "no answer from postgres://reader:{}@h:1/db?x=1",
        "no answer from 'reader:{}@h'",
        'no answer with "{}"',
        "host=h password={} port=1",
        "postgresql://h/db?user=reader&password={}&x=1 failed",
    ],
)
@pytest.mark.parametrize("address", ["postgresql://reader:{}@h:1/db", "postgresql://reader@h:1/db?password={}&x=1"])
def test_a_password_is_in_no_form_of_an_address(address, message, password):
    written = quote(password, safe="")
    for form in {password, written}:
        told = scrub(message.format(form), address.format(written))
        assert told == scrub(message.format("***"), address.format(written))


@pytest.mark.parametrize("text", ["entities:\x07", "entities: !!python/name:os.x", "? [a, b]\n: 1", "a: [", "\tb: 1"])
def test_what_is_no_yaml_is_told_with_its_line(mapped, text):
    with pytest.raises(SourceError, match=r"phone\.yml:1: "):
        entities(mapped(text), "phone")


def test_the_status_of_other_sources_does_not_hang_on_one_mapping(mapped, home):
    settings = mapped("entities: 7\n")
    environment = {"RETENTION_SOURCES": "phone,znuny", "RETENTION_SOURCES_DIR": str(settings.sources_dir)}
    result = CliRunner().invoke(app, ["status", "--home", str(home)], env=environment)
    assert result.exit_code == 0, result.output
    assert "znuny: nothing landed yet" in result.output
    assert "phone.yml:1" in result.output
