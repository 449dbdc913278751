"""Harm prevented: a holiday that counts as a working day makes every norm of that week look broken."""

import csv
import io
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from retention.build import effective_vars
from retention.business_calendar import CalendarError, as_csv, exceptions
from retention.cli import app
from retention.settings import PROJECT_ROOT, load_settings

SEED = PROJECT_ROOT / "dbt_project" / "seeds" / "calendar_exceptions.csv"


def seed_rows() -> dict[str, tuple[str, str]]:
    rows = csv.DictReader(io.StringIO(SEED.read_text(encoding="utf-8")))
    return {row["day"]: (row["opens_at"], row["closes_at"]) for row in rows}


def test_the_seed_is_what_the_command_writes(tmp_path: Path) -> None:
    written = tmp_path / "calendar.csv"
    result = CliRunner().invoke(app, ["calendar", "--home", str(tmp_path), "--output", str(written)])
    assert result.exit_code == 0, result.output
    assert written.read_bytes() == SEED.read_bytes()


def test_the_seed_knows_the_holidays_and_moved_days_of_russia() -> None:
    seed = seed_rows()
    closed, worked = ("", ""), ("09:00", "18:00")
    assert [seed[day] for day in ("2024-01-08", "2024-05-10", "2024-12-30", "2023-11-06", "2022-03-07")] == [closed] * 5
    assert [seed[day] for day in ("2024-04-27", "2024-11-02", "2024-12-28", "2025-11-01", "2022-03-05")] == [worked] * 5
    assert {date.fromisoformat(day).weekday() >= 5 for day, hours in seed.items() if hours == worked} == {True}
    assert [day for day in ("2024-01-09", "2024-04-26", "2025-03-07") if day in seed] == []
    assert {day[:4] for day in seed} == {"2022", "2023", "2024", "2025", "2026", "2027"}


def test_every_year_of_the_seed_has_as_many_working_days_as_the_decrees_say() -> None:
    worked = dict.fromkeys(("2022", "2023", "2024", "2025"), 0)
    seed = seed_rows()
    for number in range(date(2022, 1, 1).toordinal(), date(2026, 1, 1).toordinal()):
        day = date.fromordinal(number)
        is_open = seed[str(day)] != ("", "") if str(day) in seed else day.weekday() < 5
        worked[str(day.year)] += is_open
    # The production calendars of the years, five-day week.
    assert worked == {"2022": 247, "2023": 247, "2024": 248, "2025": 247}


def test_days_come_in_order_of_the_years_asked_with_the_hours_asked() -> None:
    rows = exceptions("ru", [2024], "10:00", "19:00")
    assert rows == sorted(rows)
    assert ("2024-04-27", "10:00", "19:00") in rows
    assert {day[:4] for day, _, _ in rows} == {"2024"}
    assert as_csv(rows).splitlines()[:2] == ["day,opens_at,closes_at", "2024-01-01,,"]


def test_an_unknown_country_and_no_years_are_refused() -> None:
    with pytest.raises(CalendarError, match="no country 'XX'"):
        exceptions("XX", [2024], "09:00", "18:00")
    with pytest.raises(CalendarError, match="at least one"):
        exceptions("RU", [], "09:00", "18:00")


def test_hours_and_working_days_of_the_settings_reach_dbt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETENTION_WORKING_DAYS", "Sun,Mon,Tue")
    monkeypatch.setenv("RETENTION_CLOSES_AT", "24:00")
    variables = effective_vars(load_settings(tmp_path, vars={"opens_at": "10:30"}))
    assert [variables[name] for name in ("working_days", "opens_at", "closes_at")] == [
        ["Mon", "Tue", "Sun"],
        "10:30",
        "24:00",
    ]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("working_days", ["Monday"], "unknown day Monday"),
        ("working_days", [], "none given"),
        ("opens_at", "9 o'clock", "not a time of day"),
        ("closes_at", "25:00", "not a time of day"),
        ("opens_at", "18:00", "open before it closes"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(tmp_path: Path, name: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        load_settings(tmp_path, vars={name: value})
