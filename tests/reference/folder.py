"""Writing a folder of canonical CSV files from short rows: columns that a row does not name are filled in."""

import csv
from pathlib import Path

from tests.reference.reading import ENTITIES

DEFAULTS = {
    "clients": {"name": "Example", "registered_at": "2020-01-01T09:00:00"},
    "contracts": {"plan": "basic", "price": "100", "billing_period": "month", "is_trial": "false"},
    "prepaid_events": {"kind": "usage", "amount": "10"},
    "termination_requests": {"bonus_offered": "false"},
    "dismissals": {"reason": "abuse"},
    "exit_interviews": {"channel": "email"},
    "employees": {"full_name": "Example", "department": "care", "is_head": "false"},
    "manager_assignments": {"role": "account_manager"},
    "payments": {"status": "succeeded"},
    "tickets": {"queue": "support", "sla_class": "ours", "opened_by": "client"},
    "messages": {"author": "employee"},
    "feedback": {"is_public": "false"},
}


def write_table(
    folder: Path, entity: str, rows: list[dict[str, str]], extra: tuple[str, ...] = ("updated_at",)
) -> None:
    """Writes one file with the contract's columns (and `extra` ones); absent values are empty."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = [column.name for column in ENTITIES[entity].columns] + list(extra)
    with (folder / f"{entity}.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_company(folder: Path, tables: dict[str, list[dict[str, str]]]) -> Path:
    """Writes the tables with defaults filled in; keys that a row leaves out are numbered."""
    for entity, rows in tables.items():
        key = ENTITIES[entity].key[0]
        filled = [
            {**DEFAULTS.get(entity, {}), key: f"{entity}-{position}", **row} for position, row in enumerate(rows, 1)
        ]
        write_table(folder, entity, filled)
    return folder
