"""Harm prevented: a mart that is precise, tested, and not what the definitions page says.

Companies made to be nasty go through the product as a user would run it, and every mart is compared row by row with an
implementation that was written from the page alone.
"""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.reference.companies import CASES, Case
from tests.reference.compare import compare_marts, compare_quarantine, differences, fetch
from tests.reference.marts import MARTS, compute
from tests.reference.reading import ENTITIES


def run_product(case: Case, folder: Path, home: Path) -> None:
    """Lands, builds, checks and publishes the folder; a third of its rows is broken on purpose, so the gate is open."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in case.vars.items()}
    sets = {"quarantine_limit": "1", **texts}
    command = [str(Path(sys.executable).parent / "retention"), "run", "--files", str(folder), "--home", str(home)]
    command += ["--as-of", case.as_of.isoformat()]
    for name, value in sets.items():
        command += ["--set", f"{name}={value}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_mart_is_what_the_page_says(case, tmp_path):
    folder, home = case.write(tmp_path / "files"), tmp_path / "home"
    run_product(case, folder, home)
    expected = compute(folder, case.config())
    columns = {name: list(expected[name][0]) for name in MARTS}
    report = compare_marts(home / "published" / "retention.duckdb", expected, columns)
    report += compare_quarantine(home / "build" / "retention.duckdb", expected, list(ENTITIES))
    with duckdb.connect(str(home / "published" / "retention.duckdb"), read_only=True) as connection:
        health = fetch(connection, "marts.pipeline_health", list(expected["pipeline_health"][0]))
        report += differences("pipeline_health", ("entity",), expected["pipeline_health"], health)
        for name in MARTS:
            clocks = connection.execute(f"select distinct as_of from marts.{name}").fetchall()
            if clocks != [(case.as_of,)]:
                report.append(f"{name}: as_of is {clocks}, not {case.as_of}")
    assert not report, "\n" + "\n".join(report)


def test_the_comparison_notices_a_changed_value_a_missing_row_and_a_row_twice():
    expected = [{"key": "a", "value": 1}, {"key": "b", "value": 2}, {"key": "c", "value": None}]
    found = [{"key": "a", "value": 1}, {"key": "b", "value": 3}, {"key": "b", "value": 3}, {"key": "d", "value": 0}]
    report = differences("mart", ("key",), expected, found)
    assert len(report) == 4
    assert "mart key=b: value: reference 2, product 3" in report
    assert differences("mart", ("key",), expected, expected) == []
    assert differences("mart", ("key",), [{"key": "c", "value": None}], [{"key": "c", "value": 0}])
