"""Harm prevented: a question of the brief that no figure answers; a metric whose text, formula or page fell behind.

Also dbt's exposures, which say what a change of a mart would reach.
"""

import shutil
from pathlib import Path

import duckdb
import pytest
import yaml

from retention.dashboards import Assets, read_assets
from retention.docs import PAGE, metrics_page, write_site
from retention.mart_texts import Mart, MartTextsError, Metric, doc_blocks, metrics_of, one_line, read_marts
from retention.settings import PROJECT_ROOT, Settings, load_settings
from tests.dashboards.lineage import empty_marts

DBT_PROJECT = PROJECT_ROOT / "dbt_project"
# The rows of the brief that the project was built from.
MISSION_ROWS = (
    *("C1", "C2", "C3", "C4"),
    *("R1", "R2", "R3", "R4"),
    *("K1", "K2", "K3"),
    *("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9"),
    *("Q1", "Q2"),
    *("P1", "P2", "P3", "P4"),
    *("E1", "E2", "E3", "E4", "E5"),
    *("D1", "D2"),
)
# What is kept by leaving something out has no figure: the page that says so, and where.
DOCUMENTED = {"D2": PROJECT_ROOT / "docs" / "for-analysts.md"}


@pytest.fixture(scope="module")
def marts() -> dict[str, Mart]:
    return read_marts(DBT_PROJECT)


@pytest.fixture(scope="module")
def metrics(marts: dict[str, Mart]) -> dict[str, Metric]:
    return metrics_of(marts)


def unanswered(metrics: dict[str, Metric]) -> list[str]:
    answered = {row for metric in metrics.values() for row in metric.mission_rows}
    answered |= {row for row, page in DOCUMENTED.items() if f"({row})" in page.read_text(encoding="utf-8")}
    return [row for row in MISSION_ROWS if row not in answered]


def uncomputable(marts: dict[str, Mart]) -> list[str]:
    """Metrics whose numerator or denominator is nothing that their mart can compute."""
    wrong = []
    with empty_marts(marts) as connection:
        for key, metric in metrics_of(marts).items():
            for part in (metric.numerator, metric.denominator):
                try:
                    connection.execute(f"select {part or 'null'} from marts.{metric.mart}")
                except duckdb.Error as error:
                    wrong.append(f"{key}: {part}: {str(error).splitlines()[0]}")
    return wrong


def test_every_row_of_the_brief_is_answered_by_a_metric_or_a_documented_place(metrics: dict[str, Metric]) -> None:
    assert unanswered(metrics) == []
    strange = {row for metric in metrics.values() for row in metric.mission_rows} - set(MISSION_ROWS)
    assert strange == set()


def test_a_row_that_nobody_answers_is_found(metrics: dict[str, Metric]) -> None:
    assert "R1" in unanswered({key: metric for key, metric in metrics.items() if "R1" not in metric.mission_rows})


def test_every_metric_can_be_computed_from_the_columns_of_its_mart(marts: dict[str, Mart]) -> None:
    assert uncomputable(marts) == []


def test_a_metric_over_a_column_that_is_gone_is_found(marts: dict[str, Mart]) -> None:
    mart = marts["churn_monthly"]
    left = tuple(column for column in mart.columns if column["column_name"] != "churned_clients")
    broken = {**marts, "churn_monthly": Mart(mart.name, mart.description, left, mart.metrics)}
    assert any("churned_clients" in problem for problem in uncomputable(broken))


def test_every_metric_has_a_text_of_a_sentence_and_no_doc_block_is_left_over(metrics: dict[str, Metric]) -> None:
    assert [key for key, metric in metrics.items() if len(metric.text) < 40 or "{{" in metric.text] == []
    assert set(doc_blocks(DBT_PROJECT)) == set(metrics)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    copy = tmp_path / "dbt_project"
    shutil.copytree(DBT_PROJECT / "models", copy / "models")
    return copy


def test_a_doc_block_that_does_not_exist_is_named(project: Path) -> None:
    (project / "models" / "marts" / "retention" / "_metrics.md").write_text("", encoding="utf-8")
    with pytest.raises(MartTextsError, match=r"_retention\.yml uses doc\('\w+'\)|there is no doc block of that name"):
        read_marts(project)


def test_a_doc_block_that_exists_twice_is_named(project: Path) -> None:
    (project / "models" / "more.md").write_text("{% docs churn_rate %}Another text.{% enddocs %}", encoding="utf-8")
    with pytest.raises(MartTextsError, match="the doc block churn_rate exists already"):
        doc_blocks(project)


def test_a_metric_without_a_name_is_named(project: Path) -> None:
    path = project / "models" / "marts" / "retention" / "_retention.yml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    columns = [column for model in content["models"] for column in model["columns"]]
    anchor = next(column for column in columns if column.get("config", {}).get("meta", {}).get("metric"))
    del anchor["config"]["meta"]["metric"]["name"]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(MartTextsError, match="has no name"):
        read_marts(project)


def test_the_page_of_metrics_is_up_to_date(metrics: dict[str, Metric]) -> None:
    assert PAGE.read_text(encoding="utf-8") == metrics_page(list(metrics.values())), "run `make docs`"


def test_the_published_table_says_the_same_as_the_files(published: Settings, metrics: dict[str, Metric]) -> None:
    with duckdb.connect(str(published.published_file), read_only=True) as connection:
        rows = connection.execute(
            "select metric, name, mart, numerator, denominator, definition, mission_rows from marts.metric_definitions"
        ).fetchall()
    assert {row[0]: row[1:] for row in rows} == {
        key: (
            *(metric.name, metric.mart, one_line(metric.numerator)),
            one_line(metric.denominator) if metric.denominator else None,
            *(metric.text, ", ".join(metric.mission_rows)),
        )
        for key, metric in metrics.items()
    }
    assert len(rows) == len(metrics) >= 30


def read_by(assets: Assets, dashboard: str) -> set[str]:
    """The marts that the charts of a dashboard read, and those that marks in its lines come from."""
    charts = {asset["uuid"]: asset for path, asset in assets.items() if path.startswith("charts/")}
    datasets = {asset["uuid"]: asset for path, asset in assets.items() if path.startswith("datasets/")}
    shown = [part["meta"]["uuid"] for part in assets[dashboard]["position"].values() if part_is_chart(part)]
    marks = [
        uuid
        for chart in shown
        for layer in charts[chart]["params"].get("annotation_layers", [])
        for uuid in charts
        if uuid in str(layer["value"])
    ]
    return {datasets[charts[uuid]["dataset_uuid"]]["table_name"] for uuid in (*shown, *marks)}


def part_is_chart(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "CHART"


def test_the_exposures_depend_on_exactly_the_marts_that_their_dashboards_read() -> None:
    assets = read_assets()
    exposures = yaml.safe_load((DBT_PROJECT / "models" / "exposures.yml").read_text(encoding="utf-8"))["exposures"]
    aliases = {"mart_dated_events": "dated_events"}
    declared = {
        exposure["label"]: {aliases.get(name, name) for name in (item.split("'")[1] for item in exposure["depends_on"])}
        for exposure in exposures
    }
    dashboards = [path for path in assets if path.startswith("dashboards/")]
    assert declared == {assets[path]["dashboard_title"]: read_by(assets, path) for path in dashboards}


def test_every_mart_with_figures_is_on_a_dashboard(marts: dict[str, Mart]) -> None:
    assets = read_assets()
    seen = {asset["table_name"] for path, asset in assets.items() if path.startswith("datasets/")}
    # Facts and attributes that others are computed from, and the summary whose figures the return charts compute.
    behind = {"dim_clients", "dim_employees", "fct_spells", "fct_client_months", "fct_releases", "return_summary"}
    assert set(marts) - seen == behind


def test_dbt_writes_its_page_from_nothing_and_over_a_build(tmp_path: Path, published: Settings) -> None:
    for settings in (load_settings(tmp_path / "home", sources=["files"]), published):
        page = write_site(settings)
        assert page == settings.home / "docs" / "index.html"
        text = page.read_text(encoding="utf-8")
        assert "exposure.retention.all_marts" in text and "model.retention.int_spells" in text
        assert [path.name for path in page.parent.iterdir()] == ["index.html"]
