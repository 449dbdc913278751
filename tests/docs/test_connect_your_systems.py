"""Harm prevented: somebody follows the page that says how to add a source, and it does not work."""

import re

import duckdb
import psycopg
import pytest
import yaml
from typer.testing import CliRunner

from retention.cli import app
from retention.settings import PROJECT_ROOT
from tests.publish.company import write_company

PAGE = (PROJECT_ROOT / "docs" / "connect-your-systems.md").read_text(encoding="utf-8")
WALK = PAGE[PAGE.index("### Add one:") : PAGE.index("\n## Znuny")]


def block(kind: str, number: int = 0) -> str:
    """A block of code of the walk, by its language."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", WALK, re.MULTILINE | re.DOTALL)[number]


def assets(kind: str) -> list[dict]:
    """The charts or datasets that are pushed into Superset."""
    paths = (PROJECT_ROOT / "dashboards" / kind).rglob("*.yaml")
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]


@pytest.fixture(scope="module")
def walked(postgres_server, tmp_path_factory):
    """The walk as it stands on the page, next to a company of files: (what each command said, the published file)."""
    folder = tmp_path_factory.mktemp("walk")
    database = postgres_server.database("surveys")
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute(block("sql").encode())
    sources, home = folder / "sources", folder / "home"
    sources.mkdir()
    home.mkdir()
    (sources / "surveys.yml").write_text(block("yaml"), encoding="utf-8")
    address = re.sub(r"postgresql://\S+", lambda _: database.reader_url, block("ini"))
    (home / "retention.env").write_text(
        f"{address}RETENTION_SOURCES_DIR={sources}\nRETENTION_FILES_DIR={write_company(folder / 'files')}\n"
        "RETENTION_AS_OF=2024-07-01\n"
    )
    said = {}
    for line in block("sh").splitlines():
        program, *arguments = line.split()
        assert program == "retention"
        result = CliRunner().invoke(app, [*arguments, "--home", str(home)])
        said[line] = result.output
        assert result.exit_code == 0, f"{line}: {result.output}"
    return said, home / "published" / "retention.duckdb"


def test_the_new_database_is_looked_at_before_it_is_loaded(walked):
    said, _ = walked
    assert "3 rows sampled" in said["retention check --source surveys"]
    assert "surveys: 3 rows read" in said["retention run"]


def test_its_answers_stand_in_the_marts_by_the_query_of_the_page(walked):
    _, published = walked
    with duckdb.connect(str(published), read_only=True) as marts:
        rows = marts.execute(block("sql", 1)).fetchall()
        health = marts.execute(
            "select rows_landed, rows_in_warehouse from marts.pipeline_health where source = 'surveys'"
        ).fetchall()
    assert [(str(month), number, float(mean), float(index)) for month, number, mean, index in rows] == [
        ("2024-02-01", 3, 3.67, 3.67)
    ]
    assert health == [(3, 3)]


def test_the_chart_that_the_page_names_draws_them(walked):
    _, published = walked
    name = re.search(r"the chart \*(.+?)\* of the dashboard \*(.+?)\*", WALK)
    assert name
    (chart,) = [chart for chart in assets("charts") if chart["slice_name"] == name.group(1)]
    (dataset,) = [dataset for dataset in assets("datasets") if dataset["uuid"] == chart["dataset_uuid"]]
    relation = f"({dataset['sql']})" if dataset.get("sql") else f"{dataset['schema']}.{dataset['table_name']}"
    with duckdb.connect(str(published), read_only=True) as marts:
        assert marts.execute(f"select count(*) from {relation} where survey_n > 0").fetchall()[0][0] > 0
