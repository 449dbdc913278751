"""Harm prevented: a mart changes a column, and a director finds a broken or a wrong picture weeks later.

Every asset is followed down to a column that dbt declares, and no figure may add the level `all` to the levels it sums.
"""

import copy
from pathlib import Path

import pytest

from retention.dashboards import Assets, DashboardsError, Mart, fill_in, push, read_assets, read_marts
from retention.settings import Settings, load_settings
from tests.dashboards.lineage import empty_marts, problems


@pytest.fixture(scope="module")
def marts() -> dict[str, Mart]:
    return read_marts(load_settings().dbt_project)


@pytest.fixture
def assets() -> Assets:
    return copy.deepcopy(read_assets())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        tmp_path, superset_url="http://127.0.0.1:9", superset_user="admin", superset_password="not a real one"
    )


def test_every_dashboard_leads_to_columns_that_dbt_declares(assets: Assets, marts: dict[str, Mart]) -> None:
    assert problems(assets, marts) == []
    assert sum(path.startswith("charts/") for path in assets) >= 15


BROKEN = {
    "a chart that groups by a column nobody has": (
        lambda assets: assets["charts/return_rate_by_handling.yaml"]["params"].update(groupby=["handled_how"]),
        "no column handled_how",
    ),
    "a chart that filters on a column nobody has": (
        lambda assets: assets["charts/cohorts.yaml"]["params"]["adhoc_filters"][1].update(subject="month_index"),
        "no column month_index",
    ),
    "a chart whose metric is gone": (
        lambda assets: assets["charts/churn_last_month.yaml"]["params"].update(metric="churn"),
        "no metric churn",
    ),
    "a chart with a metric of its own": (
        lambda assets: assets["charts/churn_last_month.yaml"]["params"].update(
            metric={"expressionType": "SQL", "sqlExpression": "1"}
        ),
        "metrics belong into the dataset",
    ),
    "a metric over a column that the mart lost": (
        lambda assets: assets["datasets/Retention/mrr_monthly.yaml"]["metrics"][0].update(expression="SUM(new_money)"),
        "new cannot be computed",
    ),
    "a dataset without a mart": (
        lambda assets: assets["datasets/Retention/return_curve.yaml"].update(table_name="return_line"),
        "return_line, which dbt does not describe",
    ),
    "a chart without a dataset": (
        lambda assets: assets.pop("datasets/Retention/first_100_days.yaml"),
        "first_100_days.yaml reads a dataset that does not exist",
    ),
    "a dashboard that shows a chart that was deleted": (
        lambda assets: assets.pop("charts/mrr_movement.yaml"),
        "shows a chart that does not exist",
    ),
    "a chart on no dashboard": (
        lambda assets: assets["dashboards/retention_overview.yaml"]["position"].pop("CHART-cohorts"),
        "cohorts.yaml is on no dashboard",
    ),
    "a chart that nobody explains": (
        lambda assets: assets["charts/cohorts.yaml"].update(description="Cohorts."),
        "no description",
    ),
    "a mark in a line whose source is gone": (
        lambda assets: assets["charts/dated_events.yaml"]["params"].update(all_columns=["event_on"]),
        "wants event_name",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_on_purpose_is_found(name: str, assets: Assets, marts: dict[str, Mart]) -> None:
    break_it, sentence = BROKEN[name]
    break_it(assets)
    assert any(sentence in problem for problem in problems(assets, marts)), problems(assets, marts)


def test_no_metric_adds_the_level_all_to_the_levels_it_sums(assets: Assets, marts: dict[str, Mart]) -> None:
    mixed = mixing_metrics(assets, marts)
    # The day that the data is complete up to is the same for all levels.
    assert {name for name in mixed if not name.endswith(".as_of_day")} == set()


def test_a_metric_that_adds_them_is_found(assets: Assets, marts: dict[str, Mart]) -> None:
    assets["datasets/Retention/churn_monthly.yaml"]["metrics"][0]["expression"] = "SUM(churned_clients)"
    assert "churn_monthly.churn_rate" in mixing_metrics(assets, marts)


def mixing_metrics(assets: Assets, marts: dict[str, Mart]) -> list[str]:
    """Metrics that answer when rows of `all` and rows of another level lie before them."""
    answering = []
    with empty_marts(marts) as connection:
        for path, dataset in assets.items():
            if not path.startswith("datasets/"):
                continue
            mart = marts[dataset["table_name"]]
            names = [column["column_name"] for column in mart.columns]
            if not {"segment", "level"} & set(names):
                continue
            for level in ("all", "agency"):
                # Whatever is a level differs, everything else is the same in both rows.
                row = [_example(column["column_name"], column["type"], level) for column in mart.columns]
                connection.execute(f"insert into marts.{mart.name} values ({', '.join(row)})")
            for metric in dataset["metrics"]:
                value = connection.execute(f"select {metric['expression']} from marts.{mart.name}").fetchone()
                if value != (None,):
                    answering.append(f"{mart.name}.{metric['metric_name']}")
    return answering


def _example(name: str, kind: str, level: str) -> str:
    if name in ("segment", "level"):
        return f"'{level}'"
    if kind.startswith(("DATE", "TIMESTAMP")):
        return "'2025-01-01'"
    return {"VARCHAR": "'segment'", "BOOLEAN": "true"}.get(kind, "10")


def test_every_dataset_goes_out_with_the_columns_and_texts_of_dbt(
    assets: Assets, marts: dict[str, Mart], settings: Settings
) -> None:
    filled = fill_in(assets, settings, marts)
    for path, dataset in filled.items():
        if not path.startswith("datasets/"):
            continue
        mart = marts[dataset["table_name"]]
        assert dataset["description"] == mart.description != ""
        sent = {column["column_name"]: column for column in dataset["columns"]}
        for column in mart.columns:
            assert sent[column["column_name"]]["description"] == column["description"] != "", (path, column)
            assert sent[column["column_name"]]["type"] == column["type"] != ""
    uri = filled["databases/retention.yaml"]["sqlalchemy_uri"]
    assert uri == f"duckdb:///{settings.published_file}"
    assert assets["databases/retention.yaml"]["sqlalchemy_uri"] != uri, "the files themselves stay as they are"


def test_both_databases_can_only_be_read(assets: Assets) -> None:
    databases = [asset for path, asset in assets.items() if path.startswith("databases/")]
    assert {database["database_name"] for database in databases} == {"Retention", "Retention, restricted"}
    for database in databases:
        arguments = database["extra"]["engine_params"]["connect_args"]
        assert arguments["read_only"] is True
        assert arguments["config"] == {"enable_external_access": False, "lock_configuration": True}
        assert not any(database[name] for name in ("allow_dml", "allow_ctas", "allow_cvas", "allow_csv_upload"))


def test_pushing_without_a_superset_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(DashboardsError, match="RETENTION_SUPERSET_URL"):
        push(load_settings(tmp_path))


def test_pushing_before_anything_is_published_says_what_to_run(settings: Settings) -> None:
    with pytest.raises(DashboardsError, match="run `retention run` first"):
        push(settings)


def test_pushing_to_nobody_says_so(settings: Settings) -> None:
    settings.published.mkdir()
    settings.published_file.touch()
    with pytest.raises(DashboardsError, match=r"Superset does not answer at .* start it"):
        push(settings)


def test_a_dataset_that_names_a_strange_column_does_not_go_out(
    assets: Assets, marts: dict[str, Mart], settings: Settings
) -> None:
    assets["datasets/Retention/mrr_monthly.yaml"]["columns"].append({"column_name": "margin"})
    with pytest.raises(DashboardsError, match=r"mrr_monthly\.yaml names columns .* margin"):
        fill_in(assets, settings, marts)
