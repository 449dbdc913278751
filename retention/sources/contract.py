"""The canonical entities of the contract: their columns, types and keys, which may be empty, and the codes they know.

They stand in dbt_project/macros/canonical_entities.sql, where dbt judges rows by them; here they are read from there.
"""

from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment

from retention.settings import PROJECT_ROOT

MACRO = PROJECT_ROOT / "dbt_project" / "macros" / "canonical_entities.sql"


@dataclass(frozen=True)
class CanonicalEntity:
    """Columns in the order of the contract; `key` and `optional` are subsets of them.

    `types`: column -> text, timestamp, date, money, score, boolean, integer, currency or reason; `codes`: column -> the
    values that it may have; `domain`: crm, billing or tickets.
    """

    name: str
    domain: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    optional: frozenset[str]
    types: dict[str, str]
    codes: dict[str, list[str]] = field(default_factory=dict)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column for column in self.columns if column not in self.optional)


def _read_macro() -> dict[str, dict[str, Any]]:
    """What the macro returns: entity -> domain, key, columns (name, type, is required), codes, …"""
    returned: list[dict[str, dict[str, Any]]] = []
    environment = Environment(extensions=["jinja2.ext.do"])
    environment.globals["return"] = returned.append
    environment.from_string(MACRO.read_text(encoding="utf-8")).module.canonical_entities()
    return returned[0]


def _entity(name: str, spec: dict[str, Any]) -> CanonicalEntity:
    columns = [*spec["columns"], ["updated_at", "timestamp", False]]
    return CanonicalEntity(
        name=name,
        domain=spec["domain"],
        columns=tuple(column for column, _, _ in columns),
        key=tuple(spec["key"]),
        optional=frozenset(column for column, _, is_required in columns if not is_required),
        types={column: kind for column, kind, _ in columns},
        codes=spec.get("codes", {}),
    )


CANONICAL: dict[str, CanonicalEntity] = {name: _entity(name, spec) for name, spec in _read_macro().items()}
