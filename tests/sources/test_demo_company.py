"""Harm: connectors that work on hand-made rows and lose some of a living company's. The demo company's real systems are
read here, over time, and compared key by key with what the company itself says it has."""

import csv
import re
from collections.abc import Iterator

import duckdb
import pytest

from retention import landing
from retention.extract import extract_source, reconcile_source
from tests.running_company import SOURCES, Company, running

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
    "contracts": ("billing__contracts", "contract_key"),
    "prepaid_events": ("billing__prepaid_events", "event_key"),
    "invoices": ("billing__invoices", "invoice_key"),
    "payments": ("billing__payments", "payment_key"),
    "refunds": ("billing__refunds", "refund_key"),
    "feedback": ("billing__feedback", "feedback_key"),
    "tickets": ("znuny__ticket", "id"),
    "messages": ("znuny__article", "id"),
}


def expected(company: Company) -> dict[str, set[str]]:
    folder = company.home / "export"
    company.demo("export", str(folder))
    keys = {}
    for entity in KEYS:
        with (folder / f"{entity}.csv").open(encoding="utf-8", newline="") as handle:
            keys[entity] = {row[0] for row in list(csv.reader(handle))[1:]}
    return keys


def landed(company: Company) -> dict[str, set[str]]:
    with duckdb.connect() as connection:
        landing.create_landing_views(connection, company.settings)
        return {
            entity: {row[0] for row in connection.execute(f"select {key}::varchar from landing.{table}").fetchall()}
            for entity, (table, key) in KEYS.items()
        }


@pytest.fixture(scope="module")
def company(postgres_server, tmp_path_factory) -> Iterator[Company]:
    # The rate of the cloud with a small bucket: the connector is told to slow down and must come through.
    with running(postgres_server, tmp_path_factory.mktemp("company"), clients=150, rate=20, burst=3) as company:
        yield company


def test_everything_the_company_has_lands_once_and_a_second_look_finds_nothing(company):
    first = {source: extract_source(company.settings, source) for source in SOURCES}
    assert all(result.deleted == 0 for results in first.values() for result in results)
    assert landed(company) == expected(company)
    for source in SOURCES:
        assert [found for found in extract_source(company.settings, source) if found.rows or found.deleted] == []
        assert [found for found in reconcile_source(company.settings, source) if found.rows or found.deleted] == []


def test_ninety_more_days_with_late_and_deleted_rows_are_followed(company):
    for _ in range(2):
        company.demo("advance", "--days", "45")
        for source in SOURCES:
            extract_source(company.settings, source)
    for source in SOURCES:
        reconcile_source(company.settings, source)
    assert landed(company) == expected(company)


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
