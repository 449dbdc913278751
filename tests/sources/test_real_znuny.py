"""Harm: a connector that is right about tables that somebody made up, and wrong about what a real Znuny writes.

A real Znuny is driven through its own web service; what it reports of its tickets there is compared with what the
connector and the staging models make of its database, be it PostgreSQL or MariaDB.
"""

import json
import re
import time

import duckdb
import pytest

from retention.extract import extract_source, reconcile_source
from retention.settings import load_settings
from retention.sources.database import connect_database
from tests.sources import desks, real_znuny
from tests.sources.staging import stage

MAPPING = """
dynamic_fields:
  topic: Topic
  promised_date: PromisedDate
  third_party: WaitsForOperator
  satisfaction: Satisfaction
third_party:
  queues: [Junk]
"""
PRIVATE = "a private word"


def text(sender: str, visible: bool) -> dict:
    return {
        "Subject": PRIVATE,
        "Body": PRIVATE,
        "ContentType": "text/plain; charset=utf8",
        "SenderType": sender,
        "IsVisibleForCustomer": int(visible),
        "CommunicationChannel": "Internal" if not visible else "Phone",
        "From": "somebody@example.org",
    }


def wait_for_the_next_second() -> None:
    """Znuny's clock has seconds: what happens in one of them has no order."""
    time.sleep(1 - time.time() % 1)


class Desk:
    """A real help-desk, and what was done in it."""

    def __init__(self, znuny: real_znuny.Znuny) -> None:
        self.znuny = znuny

    def open(self, sender: str = "customer", **ticket) -> int:
        wait_for_the_next_second()
        given = {
            "Title": PRIVATE,
            "Queue": "Raw",
            "State": "new",
            "Priority": "3 normal",
            "CustomerUser": real_znuny.CUSTOMER,
        } | ticket
        return int(self.znuny.call("POST", "/Ticket", Ticket=given, Article=text(sender, True))["TicketID"])

    def update(self, number: int, article: dict | None = None, fields: dict | None = None, **ticket) -> None:
        wait_for_the_next_second()
        content: dict = {"TicketID": number}
        if ticket:
            content["Ticket"] = ticket
        if article:
            content["Article"] = article
        if fields:
            content["DynamicField"] = [{"Name": name, "Value": value} for name, value in fields.items()]
        self.znuny.call("POST", "/TicketUpdate", **content)

    def ticket(self, number: int) -> dict:
        return self.znuny.call("GET", f"/Ticket/{number}", Extended=1)["Ticket"][0]

    def history(self, number: int) -> list[dict]:
        return self.znuny.call("GET", f"/TicketHistory/{number}")["TicketHistory"][0]["History"]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return real_znuny.fetch(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def desk(request, package, postgres_server, mariadb_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("znuny")
    if request.param == "postgresql":
        database = postgres_server.database("real_znuny")
    else:
        database = mariadb_server.database("real_znuny", "utf8")  # Znuny refuses utf8mb4
    znuny = real_znuny.install(folder / "znuny", package, database.owner_url)
    for name, kind in (("Topic", "Text"), ("PromisedDate", "Date"), ("WaitsForOperator", "Checkbox")):
        znuny.perl(_field(name, kind))
    znuny.perl(_field("Satisfaction", "Text"))
    sources = folder / "sources"
    sources.mkdir()
    (sources / "znuny.yml").write_text(MAPPING)
    settings = load_settings(
        folder / "home", sources=["znuny"], sources_dir=sources, znuny_url=database.reader_url, as_of="2099-01-01"
    )
    with pytest.MonkeyPatch.context() as patch:
        # As at a large help-desk: an ordinary load goes by the newest rows and the tickets that changed.
        patch.setattr("retention.sources.database.PAGE_ROWS", 2)
        patch.setattr("retention.sources.database.RECENT_ROWS", 2)
        yield Desk(znuny), settings


def _field(name: str, kind: str) -> str:
    config = "{ YearsInPast => 5, YearsInFuture => 5, DefaultValue => '', Link => '' }"
    return (
        "$Kernel::OM->Get('Kernel::System::DynamicField')->DynamicFieldAdd("
        f"Name => '{name}', Label => '{name}', FieldOrder => 1, FieldType => '{kind}', ObjectType => 'Ticket', "
        f"Config => {config}, ValidID => 1, UserID => 1) or die 'no field';"
    )


@pytest.fixture(scope="module")
def told(desk):
    """A life of five tickets: (the desk's numbers of them by name, what Znuny tells of each, the staged build)."""
    real, settings = desk
    numbers = {"asked": real.open(), "never answered": real.open(), "by phone": real.open("agent", Queue="Junk")}
    numbers |= {"merged": real.open(), "deleted": real.open()}
    asked = numbers["asked"]
    real.update(asked, text("agent", visible=False))
    real.update(asked, text("system", visible=True))
    real.update(asked, text("agent", visible=True))
    real.update(asked, Owner="root@localhost")
    real.update(asked, fields={"PromisedDate": "2026-05-06 00:00:00", "Topic": "доставка"})
    real.update(asked, fields={"PromisedDate": "2026-05-08 00:00:00"})
    real.update(asked, State="pending auto close+", PendingTime={"Diff": 1000})
    real.update(asked, State="closed successful")
    real.update(asked, text("customer", visible=True), State="open")
    real.update(asked, Owner=real_znuny.AGENT, State="closed unsuccessful", fields={"Satisfaction": "4"})
    real.update(numbers["never answered"], fields={"WaitsForOperator": 1})
    extract_source(settings, "znuny")
    real.znuny.perl(
        "$Kernel::OM->Get('Kernel::System::Ticket')->TicketMerge("
        f"MainTicketID => {numbers['by phone']}, MergeTicketID => {numbers['merged']}, UserID => 2) or die 'no merge';"
    )
    real.znuny.perl(
        f"$Kernel::OM->Get('Kernel::System::Ticket')->TicketDelete(TicketID => {numbers['deleted']}, UserID => 1);"
    )
    extract_source(settings, "znuny")
    reports = {
        name: real.ticket(number) | {"History": real.history(number)}
        for name, number in numbers.items()
        if name not in ("merged", "deleted")
    }
    reconcile_source(settings, "znuny")
    with duckdb.connect(str(stage(settings, ["znuny"])), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield numbers, reports, connection


def staged(connection, query: str) -> list[tuple]:
    return connection.execute(query).fetchall()


# The newest version of each row, as the canonical layer would choose it.
NEWEST = "qualify row_number() over (partition by {} order by _load_id desc, _row_number desc) = 1"


def test_created_first_response_and_closed_are_what_znuny_reports(told):
    numbers, reports, connection = told
    events = f"(select * from staging.stg_znuny__ticket_events {NEWEST.format('event_key')})"
    messages = f"(select * from staging.stg_znuny__messages {NEWEST.format('message_key')})"
    for name, report in reports.items():
        number = numbers[name]
        opened = staged(
            connection,
            "select strftime(opened_at at time zone 'UTC', '%Y-%m-%d %H:%M:%S') from staging.stg_znuny__tickets "
            f"where ticket_key = {number} limit 1",
        )
        assert opened == [(report["Created"],)], name
        answered = staged(
            connection,
            f"select strftime(min(sent_at) at time zone 'UTC', '%Y-%m-%d %H:%M:%S') from {messages} "
            f"where ticket_key = {number} and author = 'employee'",
        )
        assert answered == [(report.get("FirstResponse"),)], name
        closed = staged(
            connection,
            f"select strftime(max(occurred_at) at time zone 'UTC', '%Y-%m-%d %H:%M:%S') from {events} "
            f"where ticket_key = {number} and kind = 'closed'",
        )
        assert closed == [(report.get("Closed"),)], name
    assert reports["asked"]["FirstResponse"] and reports["asked"]["Closed"]
    assert "FirstResponse" not in reports["never answered"]


def test_changes_of_owner_are_those_of_znunys_own_history(told):
    numbers, reports, connection = told
    for name, report in reports.items():
        expected = sorted(row["CreateTime"] for row in report["History"] if row["HistoryType"] == "OwnerUpdate")
        found = staged(
            connection,
            "select distinct event_key, strftime(occurred_at at time zone 'UTC', '%Y-%m-%d %H:%M:%S') as at "
            f"from staging.stg_znuny__ticket_events where ticket_key = {numbers[name]} and kind = 'owner_changed'",
        )
        assert sorted(at for _, at in found) == expected, name
    owners = staged(
        connection,
        "select employee_key from staging.stg_znuny__ticket_events "
        f"where ticket_key = {numbers['asked']} and kind = 'owner_changed' order by event_key",
    )
    assert owners[-2:] == [(None,), (real_znuny.AGENT,)]  # the system itself is nobody of the staff


def test_a_ticket_is_solved_reopened_and_closed_again_in_the_order_in_which_it_was(told):
    numbers, _, connection = told
    kinds = staged(
        connection,
        "select kind, new_value from staging.stg_znuny__ticket_events "
        f"where ticket_key = {numbers['asked']} and kind <> 'owner_changed' order by event_key",
    )
    assert kinds == [
        ("promise_changed", "2026-05-06"),
        ("promise_changed", "2026-05-08"),
        ("solved", None),
        ("closed", None),
        ("reopened", None),
        ("closed", None),
    ]


def test_messages_are_told_apart_and_internal_notes_stay_out(told):
    numbers, _, connection = told
    authors = staged(
        connection,
        f"select author from staging.stg_znuny__messages where ticket_key = {numbers['asked']} order by message_key",
    )
    assert authors == [("client",), ("auto",), ("employee",), ("client",)]


def test_fields_and_classes_come_by_the_names_that_the_mapping_gives_them(told):
    numbers, _, connection = told
    rows = {
        key: rest
        for key, *rest in staged(
            connection,
            "select ticket_key, client_key, queue, topic, sla_class, opened_by from staging.stg_znuny__tickets "
            + NEWEST.format("ticket_key"),
        )
    }
    assert rows[numbers["asked"]] == [real_znuny.COMPANY, "Raw", "доставка", "ours", "client"]
    assert rows[numbers["never answered"]][3] == "third_party"
    assert rows[numbers["by phone"]][3:] == ["third_party", "employee"]
    assert staged(connection, "select distinct ticket_key, kind, score from staging.stg_znuny__feedback") == [
        (numbers["asked"], "operator_rating", "4")
    ]


def test_a_merge_moves_the_messages_and_a_deleted_ticket_is_gone(told):
    numbers, _, connection = told
    places = staged(
        connection,
        "select ticket_key, count(*) from (select * from staging.stg_znuny__messages "
        f"{NEWEST.format('message_key')}) where ticket_key in ({numbers['merged']}, {numbers['by phone']}) group by 1",
    )
    assert places == [(numbers["by phone"], 2)]
    for model in ("tickets", "ticket_events"):
        rows = staged(connection, f"select * from staging.stg_znuny__{model} where ticket_key = {numbers['merged']}")
        assert rows == []
    assert staged(connection, f"select * from landing.znuny__ticket where id = {numbers['deleted']}") == []


@pytest.mark.parametrize("table", ["article", "ticket_history"])
def test_what_rewrites_rows_touches_the_ticket_they_belong_to(told, desk, table):
    _, settings = desk
    rewritten = f"from {table} as r inner join ticket as t on t.id = r.ticket_id where r.change_time > r.create_time"
    with connect_database(settings, "znuny") as source:
        found = source.native(table, f"select t.change_time >= r.change_time {rewritten}")
    assert found and all(touched for (touched,) in found)


def test_the_tables_of_the_demo_have_no_index_that_znuny_has_not(desk):
    _, settings = desk
    with connect_database(settings, "znuny") as source:
        real = source.native(
            "its indexes",
            "select tablename, indexname from pg_indexes"
            if source.kind == "postgres"
            else "select table_name, index_name from information_schema.statistics",
        )
    ours = re.findall(r"create index if not exists (\w+) on (\w+)", desks.SCHEMA.read_text(encoding="utf-8"))
    assert len(ours) > 3
    assert {(table, index) for index, table in ours} <= set(real)


def test_nothing_private_lands(told, desk):
    _, settings = desk
    for part in settings.landing.rglob("*.parquet"):
        rows = duckdb.execute(f"select * from read_parquet('{part}')").fetchall()
        assert PRIVATE not in json.dumps(rows, default=str), part
        assert "example.org" not in json.dumps(rows, default=str), part
