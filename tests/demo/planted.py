"""The planted truth beside the published marts: which columns of which mart must equal which table of truth.json."""

from dataclasses import dataclass
from typing import Any

import duckdb


@dataclass(frozen=True)
class Planted:
    """A table of the truth, the mart that must show it, and what identifies a row."""

    table: str
    mart: str
    key: tuple[str, ...]
    where: str = "true"


PLANTED = (
    Planted("tickets", "service_monthly", ("month", "queue", "sla_class")),
    Planted("ticket_quality", "ticket_quality_monthly", ("month", "queue")),
    Planted("feedback", "feedback_monthly", ("month", "kind")),
    Planted("communication", "communication_monthly", ("month", "segment")),
    Planted("handover", "handover_monthly", ("month", "segment"), "is_mature"),
    Planted("troubles_by_client", "client_360", ("client_id",)),
    Planted("exit_reasons", "exit_reasons", ("month", "reason_code", "segment", "defector")),
    Planted("interview_response", "interview_response", ("month", "defector")),
    Planted("loop", "loop_monthly", ("month", "reason_code")),
    Planted("exit_precedents", "exit_precedents", ("month", "segment")),
    Planted("win_back", "win_back_results", ("month",), "kind = 'win_back'"),
    Planted("win_back_clients", "win_back_clients", ("client_id",)),
    Planted("churn_drivers", "churn_drivers", ("signal", "level")),
)
NOTHING = ("0", "0.0", "0.00", "False")
"""Rows that count nothing are zeros on one side and may be absent on the other: they are left out on both."""


def differences(told: dict[str, Any], marts: duckdb.DuckDBPyConnection, planted: Planted) -> list[str]:
    """What a mart shows otherwise than it was planted, in words."""
    rows = [row for row in told[planted.table] if row.get("month", "9") >= told["history_starts_on"]]
    columns = [column for column in rows[0] if column not in planted.key]
    expected = _counted([tuple(row[column] for column in (*planted.key, *columns)) for row in rows], len(planted.key))
    shown = marts.execute(
        f"select {', '.join((*planted.key, *columns))} from marts.{planted.mart} where {planted.where}"
    ).fetchall()
    found = _counted(shown, len(planted.key))
    if planted.table == "churn_drivers":
        signals = {row["signal"] for row in rows}
        found = {key: values for key, values in found.items() if key[0] in signals}
    return [
        f"{planted.mart} {key} {columns}: planted {expected.get(key)}, shown {found.get(key)}"
        for key in sorted(expected.keys() | found.keys())
        if expected.get(key) != found.get(key)
    ]


def _counted(rows: list[tuple[Any, ...]], keys: int) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {
        tuple(map(str, row[:keys])): tuple(map(str, row[keys:]))
        for row in rows
        if any(value is not None and str(value) not in NOTHING for value in row[keys:])
    }
