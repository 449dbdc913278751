"""Harm prevented: a misspelt variable that is silently ignored, and an error that only its author can read."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from retention.build import BuildError, project_vars
from retention.cli import app, parse_sets, settings_of
from retention.settings import load_settings
from tests.publish.company import write_company

VARS = project_vars(load_settings())
# Every variable that the definitions of the metrics name.
NAMED = [
    "lapse_days=60",
    "grace_days=3",
    "obstruction_days=10",
    "refund_window_days=20",
    "min_at_risk=1",
    "quarantine_limit=0.5",
    "company_timezone=Asia/Tokyo",
    "company_currency=EUR",
    "history_starts_on=2022-01-01",
    "margin_share=0.4",
]


def invoke(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_every_variable_of_the_definitions_can_be_set_and_gets_its_type() -> None:
    assert parse_sets(NAMED, VARS) == {
        "lapse_days": 60,
        "grace_days": 3,
        "obstruction_days": 10,
        "refund_window_days": 20,
        "min_at_risk": 1,
        "quarantine_limit": 0.5,
        "company_timezone": "Asia/Tokyo",
        "company_currency": "EUR",
        "history_starts_on": "2022-01-01",
        "margin_share": 0.4,
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("laps_days=60", "unknown variable.*Known variables are:.*lapse_days"),
        ("as_of=2024-01-01", "unknown variable"),
        ("lapse_days", "write it as NAME=VALUE"),
        ("lapse_days=sixty", "lapse_days=sixty: it must be a whole number"),
        ("lapse_days=-1", "a whole number of 0 or more"),
        ("lapse_days=", "cannot be empty; the default is 90"),
        ("quarantine_limit=1.5", "a number between 0 and 1"),
        ("history_starts_on=01.02.2022", "a day such as 2024-01-31"),
    ],
)
def test_a_wrong_override_is_refused_with_what_would_be_right(given: str, message: str) -> None:
    with pytest.raises(BuildError, match=message):
        parse_sets([given], VARS)


def test_an_optional_variable_can_be_emptied_again() -> None:
    assert parse_sets(["history_starts_on=null"], VARS) == {"history_starts_on": None}


def test_files_given_on_the_command_line_are_read_instead_of_the_configured_systems(tmp_path: Path) -> None:
    assert settings_of(tmp_path, files=tmp_path).sources == ["files"]
    assert settings_of(tmp_path, files=tmp_path, sources=["znuny"]).sources == ["znuny", "files"]


def test_an_error_is_one_paragraph_without_a_traceback(tmp_path: Path) -> None:
    status, output = invoke("run", "--files", tmp_path / "nowhere", "--home", tmp_path / "home")
    assert status == 1
    assert output.startswith("retention: ") or "\nretention: " in output
    assert "Traceback" not in output
    assert "nowhere" in output


def test_a_wrong_setting_is_an_error_that_names_it(tmp_path: Path) -> None:
    status, output = invoke("run", "--source", "otrs", "--home", tmp_path)
    assert status == 1
    assert "sources: " in output
    assert "known: bitrix24" in output


def test_a_mistake_in_an_override_shows_before_anything_is_landed(tmp_path: Path) -> None:
    files = write_company(tmp_path / "files", 4)
    status, output = invoke("run", "--files", files, "--home", tmp_path / "home", "--set", "nonsense=1")
    assert status == 1
    assert "nonsense" in output
    assert not (tmp_path / "home" / "landing").exists()


def test_an_unknown_seed_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    files = write_company(tmp_path / "files", 4)
    (files / "seeds").mkdir()
    (files / "seeds" / "reasons.csv").write_text("reason_code\n")
    status, output = invoke("run", "--files", files, "--home", tmp_path / "home")
    assert status == 1
    assert "reasons.csv" in output
    assert "reason_codes" in output


def test_a_seed_without_a_needed_column_is_an_error_that_names_it(tmp_path: Path) -> None:
    files = write_company(tmp_path / "files", 4)
    (files / "seeds").mkdir()
    (files / "seeds" / "reason_codes.csv").write_text("something\nelse\n")
    status, output = invoke("run", "--files", files, "--home", tmp_path / "home")
    assert status == 1
    assert "reason_code" in output
    assert "missing" in output


def test_building_before_anything_has_landed_says_what_to_run_first(tmp_path: Path) -> None:
    status, output = invoke("build", "--home", tmp_path, "--source", "files")
    assert status == 1
    assert "retention extract" in output


def test_status_works_on_an_empty_home(tmp_path: Path) -> None:
    status, output = invoke("status", "--home", tmp_path)
    assert status == 0
    assert "none published yet" in output


def test_the_help_says_what_is_taken_when_nothing_is_given() -> None:
    assert "default: var/ of the checkout" in " ".join(invoke("run", "--help")[1].replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--files", "there", "--source", "billing"], "give one of them"),
        (["--output", "faults.csv"], "it is written with --files only"),
        (["--files", "there", "--output", "nowhere/faults.csv"], "into a folder that is there"),
    ],
)
def test_a_check_of_two_things_or_of_none_is_refused_before_it_begins(arguments, told, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, output = invoke("check", *arguments)
    assert status == 1
    assert told in output
