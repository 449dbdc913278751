"""Harm prevented: a mart that is published unseen, or a chart of it that shows another number than the mart holds.

The real Superset shows the second dashboard over a build of the demo company, in which every mart has rows.
"""

import csv
import re
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Browser

from retention.dashboards import read_assets
from retention.settings import PROJECT_ROOT, Settings
from tests.dashboards.browser import choose, log_in, look
from tests.dashboards.conftest import swap, titles_of, user_of
from tests.docs import demo_company

TABS = ("Service", "Voice", "Why and who next", "Win back", "Definitions")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return demo_company.published(tmp_path_factory)


@pytest.fixture(scope="module")
def marts(demo: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo.published_file), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def leadership(chromium: Browser, settings: Settings, demo: Settings, people: dict[str, str]) -> Iterator[Any]:
    """The dashboard as the director sees it: (page, what was seen)."""
    current = settings.published_file.readlink()
    swap(settings.published_file, demo.published_file.resolve())
    try:
        page = log_in(chromium, settings.superset_url, user_of("Leadership"), people["Leadership"])
        yield page, look(page, settings.superset_url, "all-marts", TABS)
        page.close()
    finally:
        swap(settings.published_file, current)


def test_every_chart_is_drawn_with_data_and_without_an_error(leadership: Any) -> None:
    _, seen = leadership
    assert seen.wrong == {}
    assert seen.empty == set()
    assert set(seen.texts) == titles_of("all_marts")


def test_the_charts_show_what_the_marts_hold(leadership: Any, marts: duckdb.DuckDBPyConnection) -> None:
    _, seen = leadership
    waiting = dict(
        marts.execute("select queue, sum(unanswered_1d) from marts.ticket_quality_monthly group by 1").fetchall()
    )
    assert {row["queue"]: row["waiting_1d"] for row in seen.answers["Messages without an answer"][0]} == waiting

    lost = dict(
        marts.execute(
            "select reason_code, sum(mrr_lost) from marts.exit_reasons where segment = 'all' group by 1"
        ).fetchall()
    )
    shown = {
        row["Reason"].lower().replace(" ", "_"): row["revenue_lost"]
        for row in seen.answers["Why they leave, and who mends it"][0]
    }
    assert shown == {reason: pytest.approx(float(money)) for reason, money in lost.items()}

    called = marts.execute(
        "select sum(returned) / sum(contacted) from marts.win_back_results "
        "where kind = 'win_back' and returned is not null"
    ).fetchone()[0]
    rows = {row["What was done"]: row for row in seen.answers["Does winning back pay?"][0]}
    assert rows["Silent leavers, called within 30 days"]["contacted_rate"] == pytest.approx(called)

    index = marts.execute(
        "select count(*) from marts.satisfaction_monthly "
        "where segment = 'all' and operator_n + review_n + survey_n >= 5"
    ).fetchone()[0]
    drawn = [
        row for row in seen.answers["Satisfaction index and its parts"][0] if row["satisfaction_index"] is not None
    ]
    assert len(drawn) == index > 0


def test_lists_of_clients_show_keys_and_no_name(leadership: Any, demo: Settings) -> None:
    _, seen = leadership
    with duckdb.connect(str(demo.restricted_file), read_only=True) as connection:
        names = {name for (name,) in connection.execute("select name from restricted.client_names").fetchall() if name}
        names |= {
            name for (name,) in connection.execute("select full_name from restricted.employee_names").fetchall() if name
        }
    assert len(names) > 100
    text = "\n".join(seen.texts.values())
    assert [name for name in names if re.search(rf"\b{re.escape(name)}\b", text)] == []


def test_the_segment_filter_reaches_the_marts_that_have_the_level_all(leadership: Any) -> None:
    page, whole = leadership
    page.get_by_role("tab", name="Voice").click()
    page.wait_for_timeout(1000)
    seen = choose(page, "retail")
    assert seen.wrong == {}
    assert seen.answers["Satisfaction index and its parts"] != whole.answers["Satisfaction index and its parts"]
    same = "Reviews and complaints answered within a working day"
    assert seen.texts[same] == whole.texts[same]


def test_the_lines_of_targets_stand_where_the_seed_puts_them() -> None:
    with (PROJECT_ROOT / "dbt_project" / "seeds" / "targets.csv").open(encoding="utf-8", newline="") as file:
        targets = {row["metric"]: float(row["target"]) for row in csv.DictReader(file)}
    lines = {
        path: float(layer["value"])
        for path, chart in read_assets().items()
        if path.startswith("charts/")
        for layer in chart["params"].get("annotation_layers", [])
        if layer["annotationType"] == "FORMULA"
    }
    assert lines == {
        "charts/satisfaction.yaml": targets["satisfaction_index"],
        "charts/interview_response.yaml": targets["interview_response"],
    }
