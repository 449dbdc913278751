"""One legal entity under three keys, on the marts that a real run publishes.

The harm prevented: a client who pays, complains and is called counts as three, each of whom looks like a stranger.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from retention.cli import app


def write(path: Path, header: str, rows: list[tuple[Any, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A company whose CRM, billing and help-desk each have keys of their own; two keys are linked to nobody."""
    folder = tmp_path_factory.mktemp("identity")
    write(
        folder / "clients.csv",
        "client_key,name,segment,registered_at",
        # `T-2` is a client of the CRM, and in the help-desk the key of another one.
        [("crm-1", "One", "retail", "2023-01-01"), ("T-2", "Two", "finance", "2023-01-01")],
    )
    write(
        folder / "client_links.csv",
        "source,source_key,client_key",
        [("billing", "B-1", "crm-1"), ("tickets", "T-1", "crm-1"), ("tickets", "T-2", "crm-1")],
    )
    write(
        folder / "contracts.csv",
        "contract_key,client_key,plan,price,billing_period,started_on,is_trial",
        [("k1", "B-1", "basic", "100", "month", "2023-01-10", "false")],
    )
    write(
        folder / "payments.csv",
        "payment_key,client_key,amount,status,paid_at",
        [
            ("p1", "B-1", "100", "succeeded", "2023-02-01T10:00:00"),
            ("p2", "crm-1", "50", "succeeded", "2023-03-01T10:00:00"),
            ("p3", "B-lost", "7", "succeeded", "2023-03-01T10:00:00"),
            ("p4", "B-lost", "7", "succeeded", "2023-03-02T10:00:00"),
        ],
    )
    write(
        folder / "invoices.csv",
        "invoice_key,client_key,issued_at,due_at,total,disputed_at",
        [("i1", "B-1", "2023-02-01T10:00:00", "2023-02-10T10:00:00", "100", "2023-02-02T10:00:00")],
    )
    write(
        folder / "invoice_lines.csv",
        "invoice_key,line_no,kind,amount",
        [("i1", "1", "fee", "10"), ("i1", "2", "discount", "-4"), ("i-lost", "1", "fee", "1000")],
    )
    write(
        folder / "tickets.csv",
        "ticket_key,client_key,queue,sla_class,opened_at,opened_by",
        [
            ("t1", "T-1", "support", "ours", "2023-02-01T10:00:00", "client"),
            ("t2", "T-2", "support", "ours", "2023-02-02T10:00:00", "client"),
            ("t3", "T-lost", "support", "ours", "2023-02-03T10:00:00", "client"),
        ],
    )
    write(
        folder / "messages.csv",
        "message_key,ticket_key,author,sent_at",
        [
            ("m1", "t1", "employee", "2023-02-01T11:00:00"),
            ("m2", "t1", "client", "2023-02-01T12:00:00"),
            ("m3", "t-lost", "employee", "2023-02-01T12:00:00"),
        ],
    )
    write(
        folder / "feedback.csv",
        "feedback_key,client_key,kind,score,is_public,submitted_at",
        [("f1", "T-1", "complaint", "2", "false", "2023-02-02T10:00:00")],
    )
    write(
        folder / "contacts.csv",
        "contact_key,client_key,direction,channel,purpose,occurred_at",
        [
            ("c1", "crm-1", "outbound", "call", "welcome", "2023-02-05T10:00:00"),
            ("c2", "crm-1", "inbound", "email", "other", "2023-02-06T10:00:00"),
            # The CRM knows its own keys only: this is nobody.
            ("c3", "B-1", "outbound", "call", "service", "2023-02-06T10:00:00"),
        ],
    )
    home = folder / "home"
    result = CliRunner().invoke(app, ["run", "--files", str(folder), "--as-of", "2023-07-01", "--home", str(home)])
    assert result.exit_code == 0, result.output
    connection = duckdb.connect(str(home / "published" / "retention.duckdb"), read_only=True)
    yield connection
    connection.close()


def test_one_legal_entity_under_three_keys_is_one_client(marts):
    rows = marts.execute(
        "select status, payments, lifetime_revenue, disputes, fees, discounts, tickets, complaints, contacts, "
        "cost_to_serve from marts.client_360 where client_id = 'crm-1'"
    ).fetchall()
    # Two tickets of 300, one message of ours of 60, a call of 150, an e-mail of 30.
    assert rows == [("active", 2, 150, 1, 10, 4, 2, 1, 2, 840)]


def test_a_link_beats_a_key_of_the_same_text_and_a_key_without_a_link_stands_for_itself(marts):
    clients = marts.execute("select client_id, segment, tickets, payments from marts.client_360 order by client_id")
    assert clients.fetchall() == [
        ("B-lost", "unknown", 0, 2),
        ("T-2", "finance", 0, 0),
        ("T-lost", "unknown", 1, 0),
        ("crm-1", "retail", 2, 2),
    ]


def test_what_is_linked_to_nobody_is_counted_where_it_came_from(marts):
    unmatched = marts.execute(
        "select source, entity, unmatched_keys from marts.pipeline_health where unmatched_keys > 0 order by entity"
    ).fetchall()
    # Keys of clients once however often they occur; rows whose invoice or ticket is missing, each.
    assert unmatched == [
        ("files", "contacts", 1),
        ("files", "invoice_lines", 1),
        ("files", "messages", 1),
        ("files", "payments", 1),
        ("files", "tickets", 1),
    ]
