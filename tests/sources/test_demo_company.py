"""Harm: connectors that work on hand-made rows and lose some of a living company's. The demo company's real systems are
read here, over time, and compared key by key with what the company itself says it has."""

import csv
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from demo import state as states
from demo.systems.bitrix24_server import Bitrix24Server
from retention import landing
from retention.extract import extract_source, reconcile_source
from retention.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
SOURCES = ["bitrix24", "billing", "znuny"]
# Canonical entity -> landing table and its key, where a key of one is a key of the other.
KEYS = {
    "clients": ("bitrix24__companies", "id"),
    "employees": ("bitrix24__users", "XML_ID"),
    "deals": ("bitrix24__deals", "id"),
    "contacts": ("bitrix24__activities", "ID"),
    "termination_requests": ("bitrix24__termination_requests", "id"),
    "exit_interviews": ("bitrix24__exit_interviews", "id"),
    "reason_fixes": ("bitrix24__reason_fixes", "id"),
    "mailings": ("bitrix24__mailings", "id"),
    "contracts": ("billing__contract", "contract_no"),
    "prepaid_events": ("billing__account_operation", "operation_id"),
    "invoices": ("billing__invoice", "invoice_no"),
    "payments": ("billing__payment", "payment_no"),
    "refunds": ("billing__refund", "refund_no"),
    "feedback": ("billing__cabinet_feedback", "feedback_no"),
    "tickets": ("znuny__ticket", "id"),
    "messages": ("znuny__article", "id"),
}


class Company:
    """The demo company in a home, with its systems running."""

    def __init__(self, home: Path, billing, znuny, bitrix24_url: str) -> None:
        self.home = home
        self._billing, self._znuny, self._bitrix24_url = billing, znuny, bitrix24_url

    def demo(self, *arguments: str) -> None:
        urls = []
        if arguments[0] in ("load", "advance"):
            urls = ["--billing-url", self._billing.owner_url, "--znuny-url", self._znuny.owner_url]
        subprocess.run(
            [sys.executable, "-m", "demo", *arguments, *urls, "--home", str(self.home)],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )

    @property
    def settings(self) -> Settings:
        return load_settings(
            self.home,
            sources=SOURCES,
            billing_url=self._billing.reader_url,
            znuny_url=self._znuny.reader_url,
            bitrix24_url=self._bitrix24_url,
        )

    def expected(self) -> dict[str, set[str]]:
        folder = self.home / "export"
        self.demo("export", str(folder))
        keys = {}
        for entity in KEYS:
            with (folder / f"{entity}.csv").open(encoding="utf-8", newline="") as handle:
                keys[entity] = {row[0] for row in list(csv.reader(handle))[1:]}
        return keys

    def landed(self) -> dict[str, set[str]]:
        with duckdb.connect() as connection:
            landing.create_landing_views(connection, self.settings)
            return {
                entity: {row[0] for row in connection.execute(f"select {key}::varchar from landing.{table}").fetchall()}
                for entity, (table, key) in KEYS.items()
            }


@pytest.fixture(scope="module")
def company(postgres_server, tmp_path_factory) -> Iterator[Company]:
    home = tmp_path_factory.mktemp("company")
    billing, znuny = postgres_server.database("billing"), postgres_server.database("znuny")
    # The rate of the cloud with a small bucket: the connector is told to slow down and must come through.
    server = Bitrix24Server(("127.0.0.1", 0), states.folder(home) / "bitrix24.sqlite", "s3cr3t", rate=20, burst=3)
    company = Company(home, billing, znuny, server.url)
    company.demo("generate", "--clients", "150")
    company.demo("load")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield company
    finally:
        server.shutdown()
        server.server_close()


def test_everything_the_company_has_lands_once_and_a_second_look_finds_nothing(company):
    first = {source: extract_source(company.settings, source) for source in SOURCES}
    assert all(landed.deleted == 0 for results in first.values() for landed in results)
    assert company.landed() == company.expected()
    for source in SOURCES:
        assert [landed for landed in extract_source(company.settings, source) if landed.rows or landed.deleted] == []
        assert [landed for landed in reconcile_source(company.settings, source) if landed.rows or landed.deleted] == []


def test_ninety_more_days_with_late_and_deleted_rows_are_followed(company):
    for _ in range(2):
        company.demo("advance", "--days", "45")
        for source in SOURCES:
            extract_source(company.settings, source)
    for source in SOURCES:
        reconcile_source(company.settings, source)
    assert company.landed() == company.expected()


def test_no_text_of_a_client_no_address_and_no_phone_is_anywhere_in_the_landing_zone(company):
    forbidden = re.compile(r"@|\+7[\d (]{10}")
    parts = list((company.home / "landing").rglob("*.parquet"))
    assert parts
    columns = set()
    for part in parts:
        relation = duckdb.execute(f"select * from read_parquet('{part}')")
        columns |= {column[0].lower() for column in relation.description}
        found = forbidden.search(str(relation.fetchall()).replace("root@localhost", ""))
        assert not found, (part, found)
    assert not columns & {
        "body",
        "title_text",
        "subject",
        "description",
        "email",
        "phone",
        "a_body",
        "customer_user_id",
    }
