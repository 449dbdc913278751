"""Money in other currencies, on the marts that a real run publishes.

The harm prevented: the rouble falls, nobody's contract changes, and the dashboard reports growth.
"""

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from retention.cli import app

# The dollar costs 80 until the end of March, then 100, then 60.
RATES = [("USD", "2023-01-01", "80"), ("USD", "2023-04-01", "100"), ("USD", "2023-07-01", "60")]
# client → (started_on, ended_on, price, currency)
CONTRACTS = {
    "steady": [("2023-01-10", "", "100", "USD")],
    "renewed": [("2023-01-10", "2023-05-01", "100", "USD"), ("2023-05-01", "", "100", "USD")],
    "roubles": [("2023-01-10", "", "8000", "")],
}
PAYMENTS = [
    ("steady", "100", "USD", "succeeded", "2023-03-31T12:00:00"),
    ("steady", "100", "USD", "succeeded", "2023-04-01T00:00:00"),
    ("steady", "100", "USD", "failed", "2023-04-02T12:00:00"),
]


def write(path: Path, header: str, rows: list[tuple[Any, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published marts of a company with contracts in dollars, in a year in which the rate moves twice."""
    folder = tmp_path_factory.mktemp("currencies")
    write(
        folder / "clients.csv",
        "client_key,name,segment,registered_at",
        [(client, client, client, "2023-01-01") for client in CONTRACTS],
    )
    write(
        folder / "contracts.csv",
        "contract_key,client_key,plan,price,currency,billing_period,started_on,ended_on,is_trial",
        [
            (f"{client}-{number}", client, "basic", price, currency, "month", started_on, ended_on, "false")
            for client, contracts in CONTRACTS.items()
            for number, (started_on, ended_on, price, currency) in enumerate(contracts)
        ],
    )
    write(
        folder / "payments.csv",
        "payment_key,client_key,amount,currency,status,paid_at",
        [(number, *payment) for number, payment in enumerate(PAYMENTS)],
    )
    write(folder / "seeds" / "exchange_rates.csv", "currency,valid_from,rate", RATES)
    home = folder / "home"
    result = CliRunner().invoke(app, ["run", "--files", str(folder), "--as-of", "2023-10-01", "--home", str(home)])
    assert result.exit_code == 0, result.output
    connection = duckdb.connect(str(home / "published" / "retention.duckdb"), read_only=True)
    yield connection
    connection.close()


def months(marts: duckdb.DuckDBPyConnection, client: str) -> list[tuple[Decimal, Decimal, Decimal, Decimal, Decimal]]:
    """Closing, new, expansion, contraction and churned MRR of a client (a segment of its own), month by month."""
    return marts.execute(
        "select closing_mrr, new_mrr, expansion_mrr, contraction_mrr, churned_mrr from marts.mrr_monthly "
        "where segment = ? order by month",
        [client],
    ).fetchall()


def test_a_contract_in_another_currency_moves_no_mrr_when_only_the_rate_moves(marts):
    first, *later = months(marts, "steady")
    assert first == (8000, 8000, 0, 0, 0)
    assert len(later) == 8
    assert set(later) == {(8000, 0, 0, 0, 0)}
    movements = marts.execute("select distinct movement from marts.fct_client_months where client_id = 'steady'")
    assert set(movements.fetchall()) == {("new",), ("retained",)}
    # To the same figures as a client who pays roubles.
    assert months(marts, "steady") == months(marts, "roubles")


def test_a_renewal_takes_the_rate_of_its_own_first_day(marts):
    """What the test above would look like if contracts were revalued: money moves. Here it has a reason."""
    closing = [row[0] for row in months(marts, "renewed")]
    assert closing == [8000] * 4 + [10000] * 5
    assert [row[2] for row in months(marts, "renewed")] == [0] * 4 + [2000] + [0] * 4


def test_a_payment_counts_at_the_rate_of_its_day(marts):
    revenue = "select lifetime_revenue, payments, average_payment from marts.client_360 where client_id = 'steady'"
    assert marts.execute(revenue).fetchall() == [(100 * 80 + 100 * 100, 2, 9000)]
