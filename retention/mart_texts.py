"""What dbt's files say about the marts: names, columns, texts, and the metrics with their one text.

A metric's text is a doc block (`{% docs churn_rate %}`) in a .md file of the dbt project, and a column of a mart
anchors it: `description: "{{ doc('churn_rate') }}"` and `config: {meta: {metric: {key: churn_rate, …}}}`. From there
it goes into `marts.metric_definitions` (by dbt itself), into Superset and into docs/metrics.md (by this module).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DOC_BLOCK = re.compile(r"\{%-?\s*docs\s+(?P<name>\w+)\s*-?%\}(?P<text>.*?)\{%-?\s*enddocs\s*-?%\}", re.DOTALL)
DOC_CALL = re.compile(r"\{\{\s*doc\(\s*['\"](?P<name>\w+)['\"]\s*\)\s*\}\}")
ALIAS = re.compile(r"alias\s*=\s*'(\w+)'")


class MartTextsError(RuntimeError):
    """The dbt files contradict each other; the message names the file and what to change."""


@dataclass(frozen=True)
class Metric:
    """A metric and the column that anchors it; `denominator` is None where it is no quotient."""

    key: str
    name: str
    mart: str
    column: str
    numerator: str
    denominator: str | None
    text: str
    mission_rows: tuple[str, ...]

    @property
    def formula(self) -> str:
        """As it is computed from the mart's columns."""
        if self.denominator is None:
            return self.numerator
        return " / ".join(f"({part})" if " " in part else part for part in (self.numerator, self.denominator))


@dataclass(frozen=True)
class Mart:
    """A mart as dbt's YAML describes it: its text, its columns (name, type, text) in order, and its metrics."""

    name: str
    description: str
    columns: tuple[dict[str, str], ...]
    metrics: tuple[Metric, ...] = ()


def doc_blocks(dbt_project: Path) -> dict[str, str]:
    """Every doc block of the project: name → text on one line. Raises MartTextsError on a name used twice."""
    blocks: dict[str, str] = {}
    for path in sorted((dbt_project / "models").rglob("*.md")):
        for block in DOC_BLOCK.finditer(path.read_text(encoding="utf-8")):
            if block["name"] in blocks:
                raise MartTextsError(f"{path}: the doc block {block['name']} exists already; give it another name.")
            blocks[block["name"]] = one_line(block["text"])
    return blocks


def read_marts(dbt_project: Path) -> dict[str, Mart]:
    """Read the marts from dbt's YAML files: name in the warehouse → Mart, texts with their doc blocks filled in.

    Raises MartTextsError when there are none, when a text calls a doc block that does not exist, or when a metric
    lacks a part.
    """
    blocks = doc_blocks(dbt_project)
    marts: dict[str, Mart] = {}
    for path in sorted((dbt_project / "models" / "marts").rglob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for model in content.get("models") or []:
            name = _alias(path.parent / f"{model['name']}.sql") or model["name"]
            columns = tuple(
                {
                    "column_name": column["name"],
                    "type": str(column.get("data_type", "")).upper(),
                    "description": _fill_in(column.get("description", ""), blocks, path),
                }
                for column in model.get("columns") or []
            )
            metrics = tuple(_metrics(model, name, blocks, path))
            marts[name] = Mart(name, _fill_in(model.get("description", ""), blocks, path), columns, metrics)
    if not marts:
        raise MartTextsError(f"No marts are described under {dbt_project / 'models' / 'marts'}.")
    return marts


def metrics_of(marts: dict[str, Mart]) -> dict[str, Metric]:
    """Every metric of the marts by its key. Raises MartTextsError on a key used twice."""
    metrics: dict[str, Metric] = {}
    for metric in (metric for mart in marts.values() for metric in mart.metrics):
        if metric.key in metrics:
            raise MartTextsError(
                f"The metric {metric.key} is anchored twice, in {metrics[metric.key].mart} and in {metric.mart}: "
                "give one of them another key and a doc block of its own."
            )
        metrics[metric.key] = metric
    return metrics


def one_line(text: str) -> str:
    return " ".join(text.split())


def _metrics(model: dict[str, Any], mart: str, blocks: dict[str, str], path: Path) -> Iterator[Metric]:
    for column in model.get("columns") or []:
        anchor = ((column.get("config") or {}).get("meta") or {}).get("metric")
        if anchor is None:
            continue
        place = f"{path}: the metric of {mart}.{column['name']}"
        for part in ("key", "name", "numerator", "mission_rows"):
            if not anchor.get(part):
                raise MartTextsError(f"{place} has no {part} (needed: key, name, numerator, mission_rows).")
        if anchor["key"] not in blocks:
            raise MartTextsError(f"{place} is called {anchor['key']}, but there is no doc block of that name.")
        yield Metric(
            key=anchor["key"],
            name=anchor["name"],
            mart=mart,
            column=column["name"],
            numerator=str(anchor["numerator"]),
            denominator=str(anchor["denominator"]) if anchor.get("denominator") is not None else None,
            text=_fill_in(column.get("description", ""), blocks, path),
            mission_rows=tuple(row.strip() for row in str(anchor["mission_rows"]).split(",")),
        )


def _fill_in(text: str, blocks: dict[str, str], path: Path) -> str:
    def block(call: re.Match[str]) -> str:
        if call["name"] not in blocks:
            raise MartTextsError(f"{path} uses doc('{call['name']}'), but no .md file of the project has that block.")
        return blocks[call["name"]]

    return one_line(DOC_CALL.sub(block, text))


def _alias(model: Path) -> str | None:
    """The name in the warehouse that a model gives itself (a mart cannot share a model name with its seed)."""
    found = ALIAS.search(model.read_text(encoding="utf-8")) if model.exists() else None
    return found.group(1) if found else None
