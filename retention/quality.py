"""The two gates: expectations on what was landed, and on the marts that are about to be published.

Suites are data (expectations/*.yml). They run as SQL inside DuckDB; no table is pulled into Python.
"""

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import yaml

from retention import gx_duckdb, quality_docs
from retention.build import GATE_PASSED, current_build
from retention.duck import connect, quote
from retention.lock import writer_lock
from retention.settings import Settings
from retention.sources.contract import CANONICAL

SAMPLES = 5
LANDING_GATE_PASSED = "landing gate"


@dataclass(frozen=True)
class Rule:
    """One expectation of a suite. `words` says it for people, `fix` what to do when it fails."""

    type: str
    kwargs: dict[str, Any]
    words: str
    fix: str
    explain: str | None = None


@dataclass(frozen=True)
class Suite:
    """The expectations on one table. `key` are the columns by which people find a row."""

    name: str
    schema: str
    table: str
    guards: str
    key: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one rule. `count` is the number of rows that break it, where rows are counted."""

    suite: Suite
    rule: Rule
    success: bool
    count: int | None = None
    samples: tuple[str, ...] = ()
    said: str = ""

    def sentence(self) -> str:
        """One sentence for the error: suite, what was expected, how many broke it, five keys, what to do."""
        parts = [f"{self.suite.name}: expected {self.rule.words}"]
        if self.count is not None:
            parts.append(f", but {self.count} {'row does' if self.count == 1 else 'rows do'} not fit")
        if self.samples:
            parts.append(
                f" ({'; '.join(self.samples)}{'; …' if self.count and self.count > len(self.samples) else ''})"
            )
        if self.said:
            parts.append(f". {self.said.rstrip('.')}" if self.count is not None else f": {self.said.rstrip('.')}")
        parts.append(f". {self.rule.fix}" if self.rule.fix else ".")
        return "".join(parts)


class SuiteError(RuntimeError):
    """A file of expectations cannot be read. The message names it."""


class GateError(RuntimeError):
    """A gate did not open. The message has one sentence per broken expectation; nothing was published."""

    def __init__(self, gate: str, failed: list[Outcome], report: Path) -> None:
        self.failed = failed
        more = f"\n- and {len(failed) - 10} more" if len(failed) > 10 else ""
        lines = "".join(f"\n- {outcome.sentence()}" for outcome in failed[:10])
        super().__init__(f"The gate on {gate} is closed, nothing was published:{lines}{more}\nAll results: {report}")


# ------------------------------------------------------------------------------------------------------------ suites


def load_suites(folder: Path, boundary: str, variables: dict[str, Any]) -> list[Suite]:
    """Read the suites `<boundary>_*.yml` of a folder. `{name}` in a query or in words becomes a variable's value.

    A suite on a table `{source}__…` is read once for every SQL source (variable `sql_sources`) and entity that it fits.
    Raises SuiteError with the file that is wrong.
    """
    suites: list[Suite] = []
    for path in sorted(folder.glob(f"{boundary}_*.yml")):
        try:
            suites += _read_suites(path, variables)
        except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
            raise SuiteError(f"{path} is no suite of expectations: {type(error).__name__}: {error}") from None
    return suites


def _read_suites(path: Path, variables: dict[str, Any]) -> Iterable[Suite]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "{source}" not in content["table"]:
        yield _suite(path.stem, content, variables)
        return
    for source, delivered in variables.get("sql_sources", {}).items():
        for entity in delivered:
            table = _fill(content["table"], {"source": source, "entity": entity})
            if table == f"landing.{source}__{entity}":
                one = content | {"table": table, "key": CANONICAL[entity].key}
                name = f"{path.stem} ({source}, {entity})"
                yield _suite(name, one, {**variables, "source": source, "entity": entity})


def _suite(name: str, content: dict[str, Any], variables: dict[str, Any]) -> Suite:
    schema, table = content["table"].split(".")
    key = tuple(content["key"])
    rules = tuple(
        rule
        for written in content["expectations"]
        for rule in _expand(written, key, content.get("on_failure", ""), variables)
    )
    return Suite(name, schema, table, _fill(content["guards"], variables), key, rules)


def _expand(
    written: dict[str, Any], key: tuple[str, ...], on_failure: str, variables: dict[str, Any]
) -> Iterable[Rule]:
    """`columns: [a, b]` is a short way to write the same expectation for each column, `columns: key` for the key's."""
    columns = written.get("columns", [None])
    for column in key if columns == "key" else columns:
        kwargs = dict(written.get("kwargs", {}))
        if column:
            kwargs["column"] = column
        if "unexpected_rows_query" in kwargs:
            kwargs["unexpected_rows_query"] = _fill(kwargs["unexpected_rows_query"], variables)
        words = _fill(written["words"], {**variables, "column": column})
        fix = _fill(written.get("fix", on_failure), {**variables, "column": column})
        yield Rule(written["type"], kwargs, words, fix, written.get("explain"))


def _fill(text: str, variables: dict[str, Any]) -> str:
    for name, value in variables.items():
        if isinstance(value, float):
            # Written out as a decimal, SQL compares exactly: 0.29 * 100 is 29 then, and not a little less.
            value = format(Decimal(str(value)), "f")
        text = text.replace("{" + name + "}", str(value))
    return " ".join(text.split())


# ------------------------------------------------------------------------------------------------------------- gates


def check_landing(settings: Settings, build_id: str | None = None) -> list[Outcome]:
    """Run the suites of the enabled sources on the landing views of the private build. Raises GateError."""
    return _check(settings, build_id, "landing", "the landed data", LANDING_GATE_PASSED, _of_enabled_sources(settings))


def check_marts(settings: Settings, build_id: str | None = None) -> list[Outcome]:
    """Run the suites of the marts on the private build; only what passed may be published. Raises GateError."""
    return _check(settings, build_id, "marts", "the marts", GATE_PASSED, lambda suite: True)


def _of_enabled_sources(settings: Settings) -> Callable[[Suite], bool]:
    return lambda suite: suite.table == "loads" or suite.table.split("__")[0] in settings.sources


def _check(
    settings: Settings, build_id: str | None, boundary: str, gate: str, mark: str, wanted: Callable[[Suite], bool]
) -> list[Outcome]:
    with writer_lock(settings):
        build = current_build(settings, build_id)
        suites = [suite for suite in load_suites(settings.expectations, boundary, build.vars) if wanted(suite)]
        outcomes = run_suites(settings.build_file, suites)
        failed = [outcome for outcome in outcomes if not outcome.success]
        if failed:
            failed = _explain(settings, failed)
        report = quality_docs.write(settings, boundary, build, outcomes if not failed else _replaced(outcomes, failed))
        if failed:
            raise GateError(gate, failed, report)
        build.mark(settings, mark)
        return outcomes


def run_suites(database: Path, suites: list[Suite]) -> list[Outcome]:
    """Run suites on a DuckDB file, read-only, and close it again. Returns one outcome per rule, in order.

    A table that is not there fails every rule of its suite, as one outcome.
    """
    if not suites:
        return []
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = connection.execute("select table_schema, table_name from information_schema.tables").fetchall()
    here = [suite for suite in suites if (suite.schema, suite.table) in tables]
    validated = _validate(database, here)
    outcomes = []
    for suite in suites:
        if suite in here:
            outcomes += validated[suite.name]
        else:
            rule = Rule("table_exists", {}, f"the table {suite.schema}.{suite.table}", "Was dbt run to its end?")
            outcomes.append(Outcome(suite, rule, success=False, said="there is none"))
    return _with_samples(database, outcomes)


def _validate(database: Path, suites: list[Suite]) -> dict[str, list[Outcome]]:
    # Great Expectations decides about its telemetry when it is imported, which takes seconds: hence here.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.expectations.registry import get_expectation_impl

    # This module sets its own level, and announces every temporary folder.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    gx_duckdb.register()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    source = context.data_sources.add_sql(
        name="build",
        connection_string=f"{gx_duckdb.NAME}:///{database}",
        kwargs={"connect_args": {"read_only": True}},  # type: ignore[call-arg]
    )
    try:
        outcomes = {}
        for suite in suites:
            asset = source.add_table_asset(suite.name, table_name=suite.table, schema_name=suite.schema)
            batch = asset.add_batch_definition_whole_table("whole").get_batch()
            expectations = [
                get_expectation_impl(rule.type)(**rule.kwargs, meta={"rule": str(number)})
                for number, rule in enumerate(suite.rules)
            ]
            results = batch.validate(
                gx.ExpectationSuite(name=suite.name, expectations=expectations),
                result_format={
                    "result_format": "SUMMARY",
                    "unexpected_index_column_names": list(suite.key),
                    "partial_unexpected_count": SAMPLES,
                },
            )
            # Results come back in an order of their own.
            by_number = {_number(result): result for result in results.results}
            outcomes[suite.name] = [_outcome(suite, rule, by_number[number]) for number, rule in enumerate(suite.rules)]
        return outcomes
    finally:
        gx_duckdb.close_all()


def _number(result: Any) -> int:
    return int(result.expectation_config.meta["rule"])


def _outcome(suite: Suite, rule: Rule, result: Any) -> Outcome:
    if result.success:
        return Outcome(suite, rule, success=True)
    found = result.result
    if not found:
        return Outcome(
            suite, rule, success=False, said=f"it could not be evaluated: {_exception(result.exception_info)}"
        )
    if "unexpected_count" in found:
        keys = [{name: row[name] for name in suite.key} for row in found.get("partial_unexpected_index_list") or []]
        return Outcome(suite, rule, False, found["unexpected_count"], tuple(map(_key_text, keys[:SAMPLES])))
    if rule.type == "unexpected_rows_expectation":
        return Outcome(suite, rule, False, found["observed_value"])
    return Outcome(suite, rule, False, said=f"found {found.get('observed_value')}")


def _exception(info: dict[str, Any]) -> str:
    """The first line of an exception; Great Expectations nests them by metric or not at all."""
    if "exception_message" in info:
        messages = [info["exception_message"]]
    else:
        messages = [detail["exception_message"] for detail in info.values()]
    return next((str(message).strip().splitlines()[0] for message in messages if message), "no reason given")


def _key_text(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {'is empty' if value is None else value}" for name, value in row.items())


def _with_samples(database: Path, outcomes: list[Outcome]) -> list[Outcome]:
    """Add sample rows to failed queries: Great Expectations reports only how many there are."""
    if all(outcome.success for outcome in outcomes):
        return outcomes
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return [_with_sample(connection, outcome) for outcome in outcomes]


def _with_sample(connection: duckdb.DuckDBPyConnection, outcome: Outcome) -> Outcome:
    if outcome.success or outcome.rule.type != "unexpected_rows_expectation" or outcome.count is None:
        return outcome
    table = f"{quote(outcome.suite.schema)}.{quote(outcome.suite.table)}"
    query = outcome.rule.kwargs["unexpected_rows_query"].replace("{batch}", table)
    rows = connection.execute(f"select * from ({query}) limit {SAMPLES}")
    names = [column[0] for column in rows.description]
    samples = tuple(_key_text(dict(zip(names, row, strict=True))) for row in rows.fetchall())
    return Outcome(outcome.suite, outcome.rule, False, outcome.count, samples, outcome.said)


# ------------------------------------------------------------------------------------------------------ explanations


def _explain(settings: Settings, failed: list[Outcome]) -> list[Outcome]:
    """Say more about a failure where the suite asks for it."""
    return [
        _quarantine_outcome(settings, outcome) if outcome.rule.explain == "quarantine" else outcome
        for outcome in failed
    ]


def _quarantine_outcome(settings: Settings, outcome: Outcome) -> Outcome:
    """Name the entities over the limit, with the rules that their rows broke and five keys."""
    table = f"{quote(outcome.suite.schema)}.{quote(outcome.suite.table)}"
    query = outcome.rule.kwargs["unexpected_rows_query"].replace("{batch}", table)
    with connect(settings.extensions, settings.build_file, read_only=True) as connection:
        entities = [row[0] for row in connection.execute(f"select entity from ({query}) order by 1").fetchall()]
        said = [_quarantined(connection, entity) for entity in entities]
    return Outcome(outcome.suite, outcome.rule, False, outcome.count, outcome.samples, "; ".join(said))


def _quarantined(connection: duckdb.DuckDBPyConnection, entity: str) -> str:
    rows = connection.execute(
        f"select source, rule, count(*) as broken, list(row_key order by load_id desc, row_key)[1:{SAMPLES}] "
        f"from quarantine.{quote(entity)} group by source, rule order by broken desc, source, rule"
    ).fetchall()
    rules = ", ".join(f"{rule} {broken} from {source}" for source, rule, broken, _ in rows)
    keys = [str(key) for _, _, _, sample in rows for key in sample][:SAMPLES]
    return f"{entity}: {rules}, for example {', '.join(keys)}"


def _replaced(outcomes: list[Outcome], failed: list[Outcome]) -> list[Outcome]:
    remaining = iter(failed)
    return [outcome if outcome.success else next(remaining) for outcome in outcomes]
