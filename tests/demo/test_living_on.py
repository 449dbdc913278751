"""Harm prevented: incremental runs that are only ever tested on a world that stands still, or moves as it pleases."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from demo.__main__ import app

TABLES = {
    "billing": ("contract", "account_operation", "invoice", "invoice_line", "payment", "refund", "cabinet_feedback"),
    "znuny": ("users", "ticket", "ticket_history", "article", "article_data_mime", "dynamic_field_value"),
}


class Company:
    """A demo company of its own in a home and two databases."""

    def __init__(self, home: Path, billing_url: str, znuny_url: str) -> None:
        self.home, self.urls = home, {"billing": billing_url, "znuny": znuny_url}

    def demo(self, *arguments: str, check: bool = True) -> Result:
        environment = {"RETENTION_HOME": str(self.home)}
        environment |= {f"DEMO_{name.upper()}_URL": url for name, url in self.urls.items()}
        done = CliRunner().invoke(app, arguments, env=environment)
        assert not check or done.exit_code == 0, done.output
        return done

    def start(self, as_of: str, clients: int = 60) -> "Company":
        self.demo("generate", "--clients", str(clients), "--seed", "21", "--as-of", as_of)
        self.demo("load")
        return self

    def shows(self) -> dict[str, list]:
        """Everything the systems show, and the truth."""
        everything: dict[str, list] = {}
        for name, tables in TABLES.items():
            with psycopg.connect(self.urls[name]) as connection:
                for table in tables:
                    everything[table] = sorted(map(repr, connection.execute(f"select * from {table}").fetchall()))
        with closing(sqlite3.connect(self.home / "demo" / "bitrix24.sqlite")) as connection:
            everything["bitrix24"] = connection.execute("select * from element order by kind, id").fetchall()
        everything["truth"] = [(self.home / "demo" / "truth.json").read_text()]
        return everything


@pytest.fixture
def company(postgres_server, tmp_path) -> Callable[[str], Company]:
    def found(name: str) -> Company:
        billing, znuny = postgres_server.database("billing"), postgres_server.database("znuny")
        return Company(tmp_path / name, billing.owner_url, znuny.owner_url)

    return found


def test_ten_times_three_days_equal_thirty_days_and_a_company_made_on_that_day(company):
    slow, quick, late = company("slow").start("2025-12-15"), company("quick").start("2025-12-15"), company("late")
    before = slow.shows()
    for _ in range(10):
        slow.demo("advance", "--days", "3")
    quick.demo("advance", "--days", "30")
    late.start("2026-01-14")
    after = slow.shows()
    assert after == quick.shows()
    assert after == late.shows()
    assert "RETENTION_AS_OF=2026-01-14" in (slow.home / "retention.env").read_text()
    # There is something to do for every kind of incremental step.
    for table in ("payment", "ticket", "article", "bitrix24"):
        assert set(after[table]) - set(before[table]), f"{table}: nothing new"
        assert len(after[table]) > len(before[table])


def test_rows_change_arrive_late_and_vanish(company):
    shown = company("one").start("2025-10-01", clients=200)
    url = shown.urls["billing"]

    def rows(query: str) -> dict:
        with psycopg.connect(url) as connection:
            return dict(connection.execute(query).fetchall())

    def elements() -> set[tuple[str, int]]:
        with closing(sqlite3.connect(shown.home / "demo" / "bitrix24.sqlite")) as connection:
            return set(connection.execute("select kind, id from element").fetchall())

    before, contracts = elements(), rows("select contract_no, valid_to from contract")
    shown.demo("advance", "--days", "90")
    changed = rows("select contract_no, valid_to from contract")
    young = rows("select contract_no, modified_at from contract where modified_at >= '2025-10-01 00:00+03'")
    late = rows(
        "select payment_no, paid_at from payment "
        "where modified_at >= '2025-10-01 00:00+03' and paid_at < modified_at - interval '12 hours'"
    )
    assert before - elements(), "nothing was deleted"
    assert late, "nothing came late"
    moved = {key for key, value in changed.items() if key not in contracts or contracts[key] != value}
    assert moved & contracts.keys(), "nothing changed"
    assert moved <= young.keys(), "a cursor on modified_at would miss a change"


def test_an_interrupted_advance_is_finished_by_the_next_one(company):
    broken, whole = company("broken").start("2025-12-20"), company("whole").start("2025-12-20")
    good, broken.urls["znuny"] = broken.urls["znuny"], "postgresql://nobody:nothing@127.0.0.1:1/znuny"
    failed = broken.demo("advance", "--days", "5", check=False)
    assert failed.exit_code == 1
    assert "the znuny database cannot be reached" in failed.stderr and "Traceback" not in failed.stderr
    assert "RETENTION_AS_OF=2025-12-20" in (broken.home / "retention.env").read_text(), "the clock moves last"
    broken.urls["znuny"] = good
    assert "finishing the interrupted advance to 2025-12-25" in broken.demo("advance").stdout
    whole.demo("advance", "--days", "5")
    assert broken.shows() == whole.shows()


def test_nothing_goes_beyond_the_planned_years_and_errors_say_what_to_do(company):
    empty = company("empty")
    assert "python -m demo generate" in empty.demo("load", check=False).stderr
    assert "planned from" in empty.demo("generate", "--as-of", "2031-01-01", check=False).stderr
    empty.start("2027-06-25", clients=5)
    assert "planned from" in empty.demo("advance", "--days", "30", check=False).stderr


def test_settings_beside_the_clock_are_left_alone(company):
    one = company("one")
    one.home.mkdir()
    (one.home / "retention.env").write_text("LOCAL_DEMO=1\nRETENTION_AS_OF=2020-01-01\nRETENTION_KEEP_BUILDS=3\n")
    one.demo("generate", "--clients", "5")
    lines = (one.home / "retention.env").read_text().splitlines()
    assert lines == ["LOCAL_DEMO=1", "RETENTION_KEEP_BUILDS=3", "RETENTION_AS_OF=2026-01-01"]
    assert (one.home / "retention.env").stat().st_mode & 0o777 == 0o600


def test_the_databases_hold_what_the_truth_counts_and_what_must_stay_there(company):
    shown = company("one").start("2026-01-01")
    rows = json.loads((shown.home / "demo" / "truth.json").read_text())["rows"]
    with psycopg.connect(shown.urls["billing"]) as connection:
        for table, entity in (("contract", "contracts"), ("invoice_line", "invoice_lines"), ("payment", "payments")):
            assert connection.execute(f"select count(*) from {table}").fetchone()[0] == rows[entity]
        assert connection.execute("select count(*) from cabinet_feedback where body like '%+7 900%'").fetchone()[0]
    with psycopg.connect(shown.urls["znuny"]) as connection:
        assert connection.execute("select count(*) from ticket").fetchone()[0] == rows["tickets"]
        visible = "select count(*) from article where is_visible_for_customer = {}"
        assert connection.execute(visible.format(1)).fetchone()[0] == rows["messages"]
        assert connection.execute(visible.format(0)).fetchone()[0] > 0
        assert connection.execute("select count(*) from article_data_mime where a_from like '%@%'").fetchone()[0]
