"""Harm prevented: an analyst copies a query from the docs, and it fails, or answers something else than it says."""

import re
from pathlib import Path

import duckdb
import pytest

from retention.mart_texts import read_marts
from retention.settings import PROJECT_ROOT, Settings, load_settings

PAGE = PROJECT_ROOT / "docs" / "for-analysts.md"
QUESTION = re.compile(r"^### (\d+)\. (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MART = re.compile(r"\bmarts\.(\w+)")
FAMILIES = {
    "life and money": {"churn_monthly", "retention_cohorts", "first_100_days"},
    "returns": {"return_summary"},
    "service": {"service_monthly"},
    "voice": {"satisfaction_monthly", "exit_reasons"},
    "why and who next": {"churn_drivers", "at_risk_clients"},
    "win back": {"win_back_results"},
}


def blocks(text: str) -> list[tuple[str, str]]:
    """The SQL blocks of a page with the question that each stands under."""
    parts = QUESTION.split(text)[1:]
    return [
        (f"{number}. {title}", block)
        for number, title, part in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
        for block in BLOCK.findall(part)
    ]


BLOCKS = blocks(PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def connection(published: Settings) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(published.published_file), read_only=True)


@pytest.mark.parametrize(("question", "sql"), BLOCKS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(BLOCKS)])
def test_the_query_of_the_page_runs_and_returns_rows(
    question: str, sql: str, connection: duckdb.DuckDBPyConnection
) -> None:
    cursor = connection.execute(sql)
    rows, names = cursor.fetchall(), [column[0] for column in cursor.description]
    assert rows, question
    assert len(set(names)) == len(names)
    # A column in which no row has anything to say is a question that was not answered.
    empty = [name for place, name in enumerate(names) if all(row[place] is None for row in rows)]
    assert empty == [], question


def test_there_are_ten_questions_and_each_family_has_one() -> None:
    assert len({question for question, _ in BLOCKS}) == 10
    used = {mart for _, sql in BLOCKS for mart in MART.findall(sql)}
    for family, marts in FAMILIES.items():
        assert marts <= used, family


def test_every_rate_of_the_page_lies_between_zero_and_one(connection: duckdb.DuckDBPyConnection) -> None:
    shares = re.compile(r"rate|share|still_here|never_left|in_time|within_90|within_100|at_least|at_most|probability")
    for question, sql in BLOCKS:
        if "relative_risk" in sql:
            continue
        cursor = connection.execute(sql)
        for row in cursor.fetchall():
            for column, value in zip(cursor.description, row, strict=True):
                if shares.search(column[0]) and value is not None:
                    assert 0 <= value <= 1, (question, column[0])


def test_the_rate_of_question_two_is_the_one_that_the_facts_give(connection: duckdb.DuckDBPyConnection) -> None:
    sql = next(sql for question, sql in BLOCKS if question.startswith("2."))
    shown = {row[0]: row[1:3] for row in connection.execute(sql).fetchall()}
    facts = connection.execute(
        """
        select handling, count(*), count(case when days_to_return <= 180 then 1 end)
        from marts.fct_releases where released_on + 180 < as_of group by handling having count(*) >= 5
        """
    ).fetchall()
    assert shown == {handling: (releases, returned) for handling, releases, returned in facts}


def test_the_table_of_the_page_names_every_mart(connection: duckdb.DuckDBPyConnection) -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page[page.index("| mart | grain |") : page.index("## Ten questions")]
    named = {
        name
        for line in table.splitlines()
        if line.startswith("|")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    published = {
        name
        for (name,) in connection.execute(
            "select table_name from information_schema.tables where table_schema = 'marts'"
        ).fetchall()
    }
    assert named == published == set(read_marts(load_settings().dbt_project))


def test_every_address_that_the_page_links_to_exists() -> None:
    for page in (PAGE, PROJECT_ROOT / "README.md"):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_the_readme_names_every_mart_and_leads_to_the_page() -> None:
    readme = Path(PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    assert "(docs/for-analysts.md)" in readme and "(docs/metrics.md)" in readme
    assert [name for name in read_marts(load_settings().dbt_project) if f"`{name}`" not in readme] == []
