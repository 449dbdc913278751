"""Harm: a mapping that is offered to be copied and does not fit the tables it speaks of; cents published as whole
units, yen as cents, a trial counted as paying. The expected rows are written by hand from stripe/stripe.sql."""

import shutil
from pathlib import Path

import psycopg
import pytest

from retention.extract import extract_source
from retention.settings import PROJECT_ROOT

TABLES = Path(__file__).parent / "stripe" / "stripe.sql"


@pytest.fixture
def stripe(postgres_server, settings_for, tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    shutil.copy(PROJECT_ROOT / "sources" / "examples" / "stripe.yml", folder)
    database = postgres_server.database("stripe")
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute(TABLES.read_text(encoding="utf-8"))
        reader = psycopg.conninfo.conninfo_to_dict(database.reader_url)["user"]
        connection.execute(f"grant usage on schema stripe to {reader}")
        connection.execute(f"grant select on all tables in schema stripe to {reader}")
        yield connection, settings_for(sources=["stripe"], sources_dir=folder, stripe_url=database.reader_url)


EXPECTED = {
    "clients": (
        "client_key, name, segment, registered_at::varchar",
        [("cus_A", "Alpha", "retail", "2024-01-05 10:00:00+00"), ("cus_B", "cus_B", None, "2024-02-01 10:00:00+00")],
    ),
    "contracts": (
        "contract_key, client_key, plan, price::varchar, currency, billing_period, started_on::varchar, "
        "ended_on::varchar, end_reason, is_trial",
        [
            ("sub_1", "cus_A", "Basic", "59.70", "USD", "month", "2024-01-10", None, None, False),
            ("sub_2", "cus_A", "Quarterly", "50.00", "USD", "quarter", "2024-01-24", "2024-04-24", "request", False),
            ("sub_3", "cus_B", "Yearly", "199.00", "EUR", "year", "2024-02-01", "2024-03-01", "non_payment", False),
            ("sub_4", "cus_B", "Basic", "19.90", "USD", "month", "2024-05-01", None, None, True),
            ("sub_5", "cus_B", "Half-yearly", "20.00", "USD", "month", "2024-05-01", None, None, False),
            ("sub_6", "cus_B", "Yen", "3960.00", "JPY", "month", "2024-05-01", None, None, False),
            ("sub_7", "cus_B", "Dinar", "7.50", "KWD", "month", "2024-05-01", None, None, False),
        ],
    ),
    "invoices": (
        "invoice_key, client_key, due_at::varchar, total::varchar, currency, disputed_at::varchar",
        [
            ("in_1", "cus_A", "2024-02-20 09:00:00+00", "59.70", "USD", "2024-03-05 10:00:00+00"),
            ("in_2", "cus_B", "2024-03-01 09:00:00+00", "199.00", "EUR", None),
            ("in_3", "cus_B", "2024-05-01 09:00:00+00", "3960.00", "JPY", None),
            ("in_4", "cus_B", "2024-05-01 09:00:00+00", "7.50", "KWD", None),
        ],
    ),
    "invoice_lines": (
        "invoice_key, line_no, kind, amount::varchar",
        [
            ("in_1", 1, "subscription", "59.70"),
            ("in_1", 2, "fee", "5.00"),
            ("in_1", 3, "discount", "-5.00"),
            ("in_2", 1, "usage", "199.00"),
            ("in_3", 1, "subscription", "3960.00"),
            ("in_4", 1, "subscription", "7.50"),
        ],
    ),
    "payments": (
        "payment_key, client_key, invoice_key, amount::varchar, currency, status, paid_at::varchar",
        [
            ("ch_1", "cus_A", "in_1", "59.70", "USD", "succeeded", "2024-02-10 09:05:00+00"),
            ("ch_2", "cus_B", "in_2", "199.00", "EUR", "failed", "2024-03-01 09:05:00+00"),
            ("ch_4", "cus_B", "in_3", "3960.00", "JPY", "succeeded", "2024-05-01 09:05:00+00"),
            ("ch_5", "cus_B", "in_4", "7.50", "KWD", "succeeded", "2024-05-01 09:05:00+00"),
        ],
    ),
    "refunds": (
        "refund_key, client_key, amount::varchar, currency, decision, decided_at::varchar",
        [
            ("re_1", "cus_A", "19.90", "USD", "paid", "2024-03-01 10:00:00+00"),
            ("re_2", "cus_A", "10.00", "USD", None, None),
            ("re_3", "cus_A", "10.00", "USD", "refused", "2024-03-03 10:00:00+00"),
            ("re_4", "cus_B", "1980.00", "JPY", "paid", "2024-05-02 10:00:00+00"),
            ("re_5", "cus_B", "2.50", "KWD", "paid", "2024-05-02 10:00:00+00"),
        ],
    ),
}


def test_the_example_maps_what_sync_tools_leave_to_the_contract(stripe, landed_rows, home):
    _, settings = stripe
    assert {landed.entity for landed in extract_source(settings, "stripe")} == set(EXPECTED)
    for entity, (columns, rows) in EXPECTED.items():
        assert landed_rows(settings, f"stripe__{entity}", columns) == rows, entity
    assert not any(b"example.org" in path.read_bytes() for path in home.rglob("*.parquet"))


def test_a_dispute_that_comes_later_changes_its_invoice(stripe, landed_rows):
    connection, settings = stripe
    extract_source(settings, "stripe")
    connection.execute(
        "insert into stripe.dispute values ('dp_2', 'ch_2', '2024-07-05 10:00+00', '2024-07-05 11:00+00')"
    )
    (invoices,) = [landed for landed in extract_source(settings, "stripe") if landed.entity == "invoices"]
    assert (invoices.rows, invoices.deleted) == (1, 0)
    assert ("in_2", "2024-07-05 10:00:00+00") in landed_rows(
        settings, "stripe__invoices", "invoice_key, disputed_at::varchar"
    )
