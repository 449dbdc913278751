"""Follows every asset down to the warehouse: dashboard → chart → dataset → column of a mart as dbt declares it."""

import re
from collections.abc import Iterator
from typing import Any

import duckdb

from retention.dashboards import CHART_ID, Assets, Mart

COLUMN_PARAMS = (
    "x_axis",
    "x_axis_sort",
    "groupby",
    "groupby_b",
    "groupbyRows",
    "groupbyColumns",
    "all_columns",
    "columns",
)
METRIC_PARAMS = ("metric", "metrics", "metrics_b", "timeseries_limit_metric")
FILTER_PARAMS = ("adhoc_filters", "adhoc_filters_b")


def problems(assets: Assets, marts: dict[str, Mart]) -> list[str]:
    """Say what is wrong with the assets, one sentence each; nothing when everything leads to a declared column."""
    with empty_marts(marts) as empty:
        return [
            *_unplaced(assets),
            *(
                problem
                for path, dataset in _of(assets, "datasets")
                for problem in _dataset(path, dataset, marts, empty)
            ),
            *(
                problem
                for path, chart in _of(assets, "charts")
                for problem in _chart(path, chart, assets, marts, empty)
            ),
        ]


def empty_marts(marts: dict[str, Mart]) -> duckdb.DuckDBPyConnection:
    """A database in memory with every mart as dbt declares it and no rows."""
    connection = duckdb.connect()
    connection.execute("create schema marts")
    for mart in marts.values():
        columns = ", ".join(f'"{column["column_name"]}" {column["type"]}' for column in mart.columns)
        connection.execute(f'create table marts."{mart.name}" ({columns})')
    return connection


def _of(assets: Assets, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((path, asset) for path, asset in assets.items() if path.startswith(f"{kind}/"))


def _unplaced(assets: Assets) -> Iterator[str]:
    charts = {chart["uuid"]: path for path, chart in _of(assets, "charts")}
    datasets = {dataset["uuid"]: dataset for _, dataset in _of(assets, "datasets")}
    uuids = [asset["uuid"] for asset in assets.values()]
    yield from (f"the uuid {uuid} is used twice" for uuid in sorted({uuid for uuid in uuids if uuids.count(uuid) > 1}))
    placed = set()
    for path, dashboard in _of(assets, "dashboards"):
        for part in dashboard["position"].values():
            if not isinstance(part, dict):
                continue
            for child in part.get("children", []):
                if child not in dashboard["position"]:
                    yield f"{path}: {part['id']} holds {child}, which is not there"
            if part.get("type") != "CHART":
                continue
            placed.add(part["meta"]["uuid"])
            if part["meta"]["uuid"] not in charts:
                yield f"{path}: {part['id']} shows a chart that does not exist"
        for native in dashboard["metadata"].get("native_filter_configuration", []):
            for target in native["targets"]:
                if not target:
                    continue
                dataset = datasets.get(target["datasetUuid"])
                if dataset is None:
                    yield f"{path}: the filter {native['name']} reads a dataset that does not exist"
    yield from (f"{path} is on no dashboard" for uuid, path in charts.items() if uuid not in placed)


def _dataset(
    path: str, dataset: dict[str, Any], marts: dict[str, Mart], empty: duckdb.DuckDBPyConnection
) -> Iterator[str]:
    mart = marts.get(dataset["table_name"])
    if mart is None:
        yield f"{path} reads the mart {dataset['table_name']}, which dbt does not describe"
        return
    names = {column["column_name"] for column in mart.columns}
    if dataset["main_dttm_col"] and dataset["main_dttm_col"] not in names:
        yield f"{path}: {mart.name} has no column {dataset['main_dttm_col']}"
    expressions = [(column["column_name"], column.get("expression")) for column in dataset["columns"]]
    for name, expression in expressions:
        if not expression and name not in names:
            yield f"{path}: {mart.name} has no column {name}"
    expressions += [(metric["metric_name"], metric["expression"]) for metric in dataset["metrics"]]
    for name, expression in expressions:
        if expression and (reason := _refusal(empty, mart, expression)):
            yield f"{path}: {name} cannot be computed: {reason}"
    for metric in dataset["metrics"]:
        if not metric.get("description"):
            yield f"{path}: the metric {metric['metric_name']} is not described"


def _chart(
    path: str, chart: dict[str, Any], assets: Assets, marts: dict[str, Mart], empty: duckdb.DuckDBPyConnection
) -> Iterator[str]:
    if len(chart.get("description") or "") < 40:
        yield f"{path} has no description that explains it"
    found = [dataset for _, dataset in _of(assets, "datasets") if dataset["uuid"] == chart["dataset_uuid"]]
    if not found or found[0]["table_name"] not in marts:
        yield f"{path} reads a dataset that does not exist"
        return
    dataset, mart = found[0], marts[found[0]["table_name"]]
    columns = {column["column_name"] for column in mart.columns}
    columns |= {column["column_name"] for column in dataset["columns"]}
    metrics = {metric["metric_name"] for metric in dataset["metrics"]}
    params = chart["params"]
    for column in _columns(params):
        if column not in columns:
            yield f"{path}: {mart.name} has no column {column}"
    for metric in (metric for name in METRIC_PARAMS for metric in _listed(params.get(name))):
        if not isinstance(metric, str):
            yield f"{path}: metrics belong into the dataset, where they are described, not into a chart ({metric})"
        elif metric not in metrics:
            yield f"{path}: the dataset {dataset['table_name']} has no metric {metric}"
    for condition in params.get("conditional_formatting") or []:
        if condition["column"] not in columns | metrics:
            yield f"{path}: colours follow {condition['column']}, which does not exist"
    for expression in (item["sqlExpression"] for item in _filters(params) if item["expressionType"] == "SQL"):
        if reason := _refusal(empty, mart, expression):
            yield f"{path}: its filter cannot be computed: {reason}"
    charts = {asset["uuid"]: asset for _, asset in _of(assets, "charts")}
    for layer in params.get("annotation_layers", []):
        if layer["annotationType"] == "FORMULA":
            continue
        match = CHART_ID.match(str(layer["value"]))
        if match is None or match["uuid"] not in charts:
            yield f"{path}: the layer {layer['name']} reads a chart that does not exist"
        else:
            shown = charts[match["uuid"]]["params"]["all_columns"]
            for column in (layer["timeColumn"], layer["titleColumn"]):
                if column not in shown:
                    yield f"{path}: the layer {layer['name']} wants {column}, which its chart does not show"


def _columns(params: dict[str, Any]) -> Iterator[str]:
    for name in COLUMN_PARAMS:
        yield from _listed(params.get(name))
    yield from params.get("column_config", {})
    yield from (re.findall(r'"([^"]+)"', text)[0] for text in params.get("order_by_cols", []))
    yield from (item["subject"] for item in _filters(params) if item["expressionType"] == "SIMPLE")


def _filters(params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in FILTER_PARAMS:
        yield from params.get(name) or []


def _listed(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def _refusal(connection: duckdb.DuckDBPyConnection, mart: Mart, expression: str) -> str | None:
    try:
        connection.execute(f'select {expression} from marts."{mart.name}"')
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return None
