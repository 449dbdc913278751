"""Harm prevented: strengths that are planted and cannot be found again, and noise that is taken for a cause.

The company that `make demo` makes is exported, built and published once; its marts are held to what was planted in it.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from math import log
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from demo import drivers, export, service, truth
from demo import plan as plans
from retention import pipeline
from retention.settings import load_settings
from tests.demo.planted import PLANTED, differences

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

AS_OF = date(2026, 1, 1)
STRENGTHS = yaml.safe_load(drivers.TRUTH_FILE.read_text(encoding="utf-8"))["relative_risk"]
PLANTED_LEVELS = [
    (signal, level) for signal, levels in STRENGTHS.items() if signal not in drivers.NULL_SIGNALS for level in levels
]
POWER = 0.8
STRONG_LEVELS = [level for level in PLANTED_LEVELS if STRENGTHS[level[0]][level[1]]["called_a_driver"] >= POWER]
"""Those that the interval of a company of this size calls drivers at least so often."""
NULL_LEVELS = [(signal, level) for signal in drivers.NULL_SIGNALS for level in STRENGTHS[signal]]


def quiet(_: str) -> None:
    """Progress of a run that nobody watches."""


@pytest.fixture(scope="module")
def told(default_plan: plans.Plan) -> dict[str, Any]:
    return json.loads(json.dumps(truth.tell(default_plan, AS_OF)))


@pytest.fixture(scope="module")
def marts(default_plan: plans.Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published marts of the default company."""
    home: Path = tmp_path_factory.mktemp("strengths")
    export.write(default_plan, AS_OF, home / "files")
    settings = load_settings(home, sources=["files"], files_dir=home / "files", as_of=AS_OF)
    pipeline.run(settings, quiet)
    with closing(duckdb.connect(str(settings.published_file), read_only=True)) as connection:
        yield connection


def one(marts: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    return marts.execute(sql).fetchone()


def driver(marts: duckdb.DuckDBPyConnection, signal: str, level: str) -> tuple[Any, ...]:
    """Relative risk, its interval and whether the level is small."""
    found = marts.execute(
        "select relative_risk, ci_low, ci_high, is_small from marts.churn_drivers where signal = ? and level = ?",
        [signal, level],
    ).fetchall()
    assert len(found) == 1, f"{signal} {level} is not in churn_drivers"
    return found[0]


@pytest.mark.parametrize(("signal", "level"), PLANTED_LEVELS)
def test_the_interval_of_a_planted_driver_covers_its_strength(marts, signal, level):
    risk, low, high, is_small = driver(marts, signal, level)
    strength = STRENGTHS[signal][level]
    assert not is_small
    assert low <= strength["truth"] <= high, f"planted {strength['truth']}, found {risk} [{low}, {high}]"


@pytest.mark.parametrize(("signal", "level"), STRONG_LEVELS)
def test_a_planted_driver_is_called_one_where_there_are_enough_clients_to_tell(marts, signal, level):
    _, low, _, _ = driver(marts, signal, level)
    assert low > 1


def test_there_are_enough_clients_to_tell_for_every_planted_signal_but_the_weakest():
    strong, planted = {signal for signal, _ in STRONG_LEVELS}, {signal for signal, _ in PLANTED_LEVELS}
    assert planted - strong <= {"complaints", "promise_changes"}


@pytest.mark.parametrize(("signal", "level"), NULL_LEVELS)
def test_a_null_signal_is_not_called_a_driver(marts, signal, level):
    risk, low, high, _ = driver(marts, signal, level)
    assert low <= 1 <= high, f"found {risk} [{low}, {high}]"


@pytest.mark.parametrize(("signal", "level"), NULL_LEVELS)
def test_over_many_companies_a_null_signal_comes_to_nothing(signal, level):
    """What sampling leaves open is written down with the truth: 1 lies within it, and nothing pulls to one side."""
    counted = STRENGTHS[signal][level]
    spread = (log(counted["counted_high"]) - log(counted["counted_low"])) / 2 / drivers.Z
    assert abs(log(counted["counted"])) < 3 * spread


def test_over_many_companies_the_interval_covers_as_often_as_it_says():
    """One company that fits could be luck, or a company chosen because it fits; sixty are not."""
    covered = [level["covered"] for levels in STRENGTHS.values() for level in levels.values()]
    assert sum(covered) / len(covered) == pytest.approx(0.95, abs=0.02)
    assert min(covered) > 0.85


def test_the_strengths_are_those_of_this_generator():
    """Whoever changes how clients live runs `python -m demo.drivers` anew."""
    kept = yaml.safe_load(drivers.TRUTH_FILE.read_text(encoding="utf-8"))
    assert kept["probe"] == drivers.probe()
    assert kept["companies"] * kept["clients"] >= 100_000


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.table)
def test_the_marts_of_the_default_company_show_what_was_planted(told, marts, planted):
    found = differences(told, marts, planted)
    assert not found, "\n".join([f"{len(found)} rows differ", *found[:20]])


def test_annual_churn_fell_from_46_to_22_percent_with_the_programme(marts):
    rates = dict(
        marts.execute(
            "select year(month), churned_12m / opening_12m from marts.churn_monthly "
            "where segment = 'all' and month(month) = 12 and opening_12m > 0"
        ).fetchall()
    )
    assert rates[2023] == pytest.approx(0.46, abs=0.01)
    assert rates[2025] == pytest.approx(0.22, abs=0.01)
    before, after, high = one(
        marts,
        "select before, after, ci_high from marts.programme_effect "
        "where metric = 'annual_churn_rate' and event_on = '2024-01-01'",
    )
    assert (before, after) == (pytest.approx(rates[2023]), pytest.approx(rates[2024]))
    assert high < 0, "the fall is more than chance"


def test_a_manager_solves_two_and_a_half_times_as_fast(marts):
    without, with_one, before, after = one(
        marts,
        "select sum(without_manager_minutes) / sum(without_manager_solved), "
        "sum(with_manager_minutes) / sum(with_manager_solved), "
        "sum(before_manager_minutes) / sum(before_manager_solved), "
        "sum(after_manager_minutes) / sum(after_manager_solved) from marts.service_monthly",
    )
    assert without / with_one == pytest.approx(service.MANAGER_SPEED_UP, abs=0.2)
    assert before / after > 2


def test_satisfaction_crosses_its_line_in_the_spring_after_the_programme(told, marts):
    index = marts.execute(
        "select month, satisfaction_index, is_warning from marts.satisfaction_monthly where segment = 'all' order by 1"
    ).fetchall()
    planted = told["planted"]["satisfaction_crosses"]
    assert all(is_warning == (value < planted["line"]) for _, value, is_warning in index)
    assert all(is_warning for month, _, is_warning in index if str(month) < "2024-01-01")
    assert not any(is_warning for month, _, is_warning in index if str(month) >= planted["until"])
    first = min(str(month) for month, _, is_warning in index if not is_warning)
    assert planted["from"] <= first <= planted["until"]


def test_a_fifth_of_the_invited_answer_and_a_tenth_of_the_called_return(marts):
    answered, invited = one(marts, "select sum(answered), sum(invited) from marts.interview_response")
    assert answered / invited == pytest.approx(0.20, abs=0.03)
    returned, called, by_themselves, uncalled, cost, margin = one(
        marts,
        "select sum(returned), sum(contacted), sum(uncontacted_returned), sum(uncontacted), sum(cost), "
        "sum(margin_back) from marts.win_back_results where kind = 'win_back' and returned is not null",
    )
    assert returned / called == pytest.approx(0.10, abs=0.03)
    assert by_themselves / uncalled < returned / called
    assert cost > 0 and margin > 0
