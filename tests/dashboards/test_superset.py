"""Harm prevented: leadership opens the dashboard and finds an error, an empty chart, or a number the marts never gave.

A real Superset shows a real build of a small company; a headless Chromium looks at it.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from playwright.sync_api import Browser

from local.stack import Stack
from retention.dashboards import ASSETS, DashboardsError, push
from retention.settings import Settings
from tests.dashboards import company
from tests.dashboards.api import Api
from tests.dashboards.browser import choose, log_in, look, picture
from tests.dashboards.conftest import swap, titles_of, user_of

SLUG = "retention-overview"
TABS = ("Data health",)
Query = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def marts(settings: Settings) -> Query:
    """SQL over the published file; rows as dictionaries."""

    def query(sql: str) -> list[dict[str, Any]]:
        with duckdb.connect(str(settings.published_file), read_only=True) as connection:
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return query


@pytest.fixture(scope="module")
def leadership(chromium: Browser, settings: Settings, people: dict[str, str]) -> Any:
    """The dashboard as the director sees it: (page, what was seen, addresses that were asked for elsewhere)."""
    page = log_in(chromium, settings.superset_url, user_of("Leadership"), people["Leadership"])
    elsewhere: list[str] = []
    page.on("requestfinished", lambda request: elsewhere.append(request.url))
    seen = look(page, settings.superset_url, SLUG, TABS)
    yield page, seen, [url for url in elsewhere if not url.startswith((settings.superset_url, "data:", "blob:"))]
    page.close()


def test_every_chart_is_drawn_with_data_and_without_an_error(leadership: Any, tmp_path: Path) -> None:
    page, seen, _ = leadership
    page.get_by_role("tab", name="Overview").click()
    shot = picture(page, tmp_path / "overview.png")
    assert seen.wrong == {}, shot
    assert seen.empty == set(), shot
    assert set(seen.texts) == titles_of("retention_overview")
    assert shot.stat().st_size > 50_000


def test_the_page_loads_nothing_from_elsewhere_and_reports_to_nobody(leadership: Any) -> None:
    _, _, elsewhere = leadership
    assert elsewhere == []


def test_the_big_numbers_are_those_of_the_marts(leadership: Any, marts: Query) -> None:
    _, seen, _ = leadership
    row = marts("select * from marts.churn_monthly where segment = 'all' order by month desc limit 1")[0]
    expected = {
        "Churn, last month": row["churned_clients"] / row["opening_clients"],
        "Churn, last month, without dismissed": row["regretted_churned_clients"] / row["opening_clients"],
        "Churn, trailing year": row["churned_12m"] / row["opening_12m"],
        "Churn, trailing year, without dismissed": row["regretted_churned_12m"] / row["opening_12m"],
    }
    for title, rate in expected.items():
        lines = seen.texts[title].splitlines()
        assert f"{rate:.1%}" in lines, (title, lines)
        assert f"{row['month']:%B %Y}" in lines, (title, lines)
        assert any(line.endswith("% vs a year earlier") for line in lines), (title, lines)
    assert "1 January 2026" in seen.texts["Data complete up to"]
    assert row["as_of"] == company.AS_OF


def test_the_lines_and_bars_are_those_of_the_marts(leadership: Any, marts: Query) -> None:
    _, seen, _ = leadership
    churn = marts("select * from marts.churn_monthly where segment = 'all' order by month")
    drawn = {row["month"]: row for row in months(seen.answers["Churn rate by month"][0])}
    assert set(drawn) == {row["month"].isoformat() for row in churn}
    for row in churn:
        rate = row["churned_clients"] / row["opening_clients"] if row["opening_clients"] >= 5 else None
        assert drawn[row["month"].isoformat()]["churn_rate"] == pytest.approx(rate)

    rates = marts(
        "select window_days, sum(returned) / sum(mature_releases) as rate, sum(mature_releases) as n "
        "from marts.return_rates where segment = 'all' and handling = 'all' group by all"
    )
    shown = {row["window_days"]: row["return_rate"] for row in seen.answers["How many released clients come back"][0]}
    assert shown == {row["window_days"]: pytest.approx(row["rate"]) for row in rates}
    table = {
        row["Within days"]: row["mature_release_count"]
        for row in seen.answers["Return rates with their n"][0]
        if row["Handled"] == "All"
    }
    assert table == {row["window_days"]: row["n"] for row in rates}

    exits = marts("select sum(churned_clients) as churned from marts.churn_monthly where segment = 'all'")[0]
    kinds = ("released_exits", "lapsed_exits", "payment_failure_exits", "dismissed_exits", "dissolved_exits")
    assert sum(row[kind] for row in seen.answers["How clients left"][0] for kind in kinds) == exits["churned"]

    curve = marts("select * from marts.return_curve where dimension = 'all' and day % 10 = 0 and day <= 730")
    line = {row["day"]: row for row in seen.answers["How long until they come back"][0]}
    assert set(line) == {row["day"] for row in curve}
    for row in curve:
        assert line[row["day"]]["cumulative_return__yhat"] == pytest.approx(row["cumulative_return"])
        assert line[row["day"]]["cumulative_return__yhat_lower"] == pytest.approx(row["ci_low"])


def test_the_bars_of_every_month_close(leadership: Any, marts: Query) -> None:
    _, seen, _ = leadership
    bars, line = (months(rows) for rows in seen.answers["What moved the monthly recurring revenue"])
    net = {row["month"]: row["net_change"] for row in line}
    assert len(net) == 36
    for row in bars:
        moved = sum(float(row[name]) for name in ("new", "returned", "expansion", "contraction", "churned"))
        assert moved == pytest.approx(float(net[row["month"]]), abs=0.01), row["month"]
        assert float(row["contraction"]) <= 0 and float(row["churned"]) <= 0
    last = marts("select closing_mrr from marts.mrr_monthly where segment = 'all' order by month desc limit 1")[0]
    assert f"{last['closing_mrr']:,.0f}" in seen.texts["Monthly recurring revenue"]


def test_the_programme_is_marked_in_both_churn_lines(leadership: Any, settings: Settings) -> None:
    api = Api(settings)
    charts = {row["slice_name"]: row for row in api.all("chart/")}
    for title in ("Churn rate by month", "Churn rate of the trailing year"):
        layers = yaml.safe_load(charts[title]["params"])["annotation_layers"]
        assert [layer["value"] for layer in layers] == [charts["Dated events"]["id"]]
    _, seen, _ = leadership
    assert "2024-01-01\tRetention programme" in seen.texts["Dated events"]


def test_the_months_of_the_cohorts_stand_in_order(leadership: Any, marts: Query) -> None:
    _, seen, _ = leadership
    cohorts = marts(
        "select distinct strftime(cohort_month, '%Y-%m') as started_in from marts.retention_cohorts "
        "where segment = 'all' and cohort_size >= 5 order by 1"
    )
    text = seen.texts["Who is still with us, by month of the start"]
    columns = re.findall(r"\bM\d\d\b", text)
    rows = re.findall(r"^20\d\d-\d\d", text, re.MULTILINE)
    assert columns[:3] == ["M00", "M01", "M02"] and columns == sorted(columns)
    assert rows == [cohort["started_in"] for cohort in cohorts]


def test_the_segment_filter_shows_one_segment_alone(leadership: Any, marts: Query) -> None:
    page, _, _ = leadership
    page.get_by_role("tab", name="Overview").click()
    seen = choose(page, "retail")
    assert seen.wrong == {}
    row = marts("select * from marts.churn_monthly where segment = 'retail' order by month desc limit 1")[0]
    assert f"{row['churned_12m'] / row['opening_12m']:.1%}" in seen.texts["Churn, trailing year"].splitlines()
    day = marts(
        "select cumulative_return from marts.return_curve where dimension = 'segment' and level = 'retail' and day = 90"
    )
    drawn = {row["day"]: row for row in seen.answers["How long until they come back"][0]}
    assert drawn[90]["cumulative_return__yhat"] == pytest.approx(day[0]["cumulative_return"])
    assert "1 January 2026" in seen.texts["Data complete up to"]


def test_the_period_filter_reaches_what_has_months_and_nothing_else(leadership: Any, settings: Settings) -> None:
    page, whole, _ = leadership
    seen = look(page, settings.superset_url, SLUG, period="2024-01-01 : 2025-01-01")
    assert seen.wrong == {}
    year = {f"2024-{month:02}-01" for month in range(1, 13)}
    for title in ("Churn rate by month", "How clients left", "The first 100 days"):
        assert {row["month"] for row in months(seen.answers[title][0])} == year, title
    assert "December 2024" in seen.texts["Churn, trailing year"]
    assert seen.answers["Return rates with their n"] != whole.answers["Return rates with their n"]
    assert seen.answers["How long until they come back"] == whole.answers["How long until they come back"]
    assert seen.texts["Data complete up to"] == whole.texts["Data complete up to"]


def test_pushing_twice_leaves_nothing_twice(settings: Settings) -> None:
    api = Api(settings)
    kinds = ("database/", "dataset/", "chart/", "dashboard/", "security/roles/")
    before = {kind: sorted(row["id"] for row in api.all(kind)) for kind in kinds}
    assert push(settings) == ["All marts", "Retention overview"]
    assert {kind: sorted(row["id"] for row in api.all(kind)) for kind in kinds} == before
    assert len(before["dashboard/"]) == 2


def test_a_wrong_password_is_called_one(settings: Settings) -> None:
    wrong = settings.model_copy(update={"superset_user": "nobody"})
    with pytest.raises(DashboardsError, match="refuses the login of 'nobody'"):
        push(wrong)


def test_a_rejected_asset_changes_nothing_and_says_where_it_is_named(
    settings: Settings, stack: Stack, tmp_path: Path
) -> None:
    broken = copy_of_assets(tmp_path)
    change(broken / "charts" / "as_of.yaml", lambda chart: chart.pop("viz_type"))
    change(broken / "charts" / "cohorts.yaml", lambda chart: chart.update(slice_name="Half pushed"))
    with pytest.raises(DashboardsError, match=r"logs/superset\.log .* `Schema validation failed`"):
        push(settings, broken)
    assert "Schema validation failed for charts/as_of.yaml" in stack.log("superset").read_text()
    assert "Half pushed" not in {row["slice_name"] for row in Api(settings).all("chart/")}


def test_leadership_sees_dashboards_and_has_no_sql(settings: Settings, people: dict[str, str]) -> None:
    api = Api(settings, user_of("Leadership"), people["Leadership"])
    assert {row["dashboard_title"] for row in api.all("dashboard/")} == {"All marts", "Retention overview"}
    database = Api(settings).database("Retention")
    assert api.sql(database, "select 1").status_code == 403


def test_analysts_query_the_marts_and_nothing_else(settings: Settings, people: dict[str, str]) -> None:
    database = Api(settings).database("Retention")
    restricted = Api(settings).database("Retention, restricted")
    analyst = Api(settings, user_of("Analyst"), people["Analyst"])
    team = Api(settings, user_of("Retention team"), people["Retention team"])
    counted = analyst.sql(database, "select count(*) as n from marts.dim_clients")
    assert counted.json()["data"] == [{"n": 400}], counted.text
    names = "select count(*) as n from restricted.client_names"
    assert not analyst.sql(restricted, names).ok
    assert team.sql(restricted, names).json()["data"] == [{"n": 400}]
    forbidden = (
        f"select * from '{settings.restricted_file}'",
        f"attach '{settings.restricted_file}' as names",
        "select * from read_text('/etc/hostname')",
        f"copy (select 1) to '{settings.home}/stolen.csv'",
        "set enable_external_access = true",
        "create table marts.mine as select 1",
        "delete from marts.dim_clients",
    )
    for query in forbidden:
        assert not analyst.sql(database, query).ok, query
        assert not team.sql(database, query).ok, query


def test_a_chart_whose_column_is_gone_is_caught(chromium: Browser, settings: Settings, tmp_path: Path) -> None:
    broken = copy_of_assets(tmp_path)
    change(
        broken / "charts" / "exits_by_type.yaml",
        lambda chart: chart["params"].update(
            metrics=[{"expressionType": "SQL", "sqlExpression": "SUM(no_such_column)", "label": "gone"}]
        ),
    )
    push(settings, broken)
    try:
        password = settings.superset_password.get_secret_value()
        page = log_in(chromium, settings.superset_url, settings.superset_user, password)
        seen = look(page, settings.superset_url, SLUG)
        page.close()
    finally:
        push(settings)
    assert list(seen.wrong) == ["How clients left"]
    assert "no_such_column" in seen.wrong["How clients left"]


def test_a_new_build_is_shown_at_once_and_an_empty_mart_is_not_an_error(
    chromium: Browser, settings: Settings, tmp_path: Path
) -> None:
    # What a company without releases publishes: marts with their columns and no rows.
    other = tmp_path / "retention.duckdb"
    other.write_bytes(settings.published_file.read_bytes())
    with duckdb.connect(str(other)) as connection:
        for mart in ("return_rates", "return_summary", "return_curve", "retention_cohorts", "dated_events"):
            connection.execute(f"delete from marts.{mart}")
        connection.execute("update marts.mrr_monthly set closing_mrr = 600")
    current = settings.published_file.readlink()
    swap(settings.published_file, other)
    try:
        password = settings.superset_password.get_secret_value()
        page = log_in(chromium, settings.superset_url, settings.superset_user, password)
        seen = look(page, settings.superset_url, SLUG, TABS)
        page.close()
    finally:
        swap(settings.published_file, current)
    assert seen.wrong == {}
    assert "600" in seen.texts["Monthly recurring revenue"].splitlines()
    assert "How long until they come back" in seen.empty


def months(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with `month` as an ISO date instead of milliseconds."""
    with duckdb.connect() as connection:
        return [
            {**row, "month": str(connection.execute("select epoch_ms(?)::date", [int(row["month"])]).fetchone()[0])}
            for row in rows
        ]


def copy_of_assets(folder: Path) -> Path:
    for path in ASSETS.rglob("*.yaml"):
        copy = folder / "assets" / path.relative_to(ASSETS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return folder / "assets"


def change(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    asset = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(asset)
    path.write_text(yaml.safe_dump(asset, allow_unicode=True), encoding="utf-8")
