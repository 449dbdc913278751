"""Harm prevented: a run that reads another installation's systems; two parts of it that disagree about the clock."""

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from retention.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine that runs the tests may reach them."""
    import os

    for name in list(os.environ):
        if name.startswith("RETENTION_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("retention.settings.DOTENV", tmp_path / "no.env")


def test_the_file_in_the_home_is_read_and_the_environment_beats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "retention.env").write_text(
        'RETENTION_SOURCES=["files"]\nRETENTION_AS_OF=2026-01-01\nRETENTION_VARS={"lapse_days": 60}\nOTHER=ignored\n'
    )
    settings = load_settings(tmp_path)
    assert (settings.sources, settings.as_of, settings.vars) == (["files"], date(2026, 1, 1), {"lapse_days": 60})
    monkeypatch.setenv("RETENTION_AS_OF", "2026-02-01")
    assert load_settings(tmp_path).as_of == date(2026, 2, 1)
    assert load_settings(tmp_path, as_of=date(2026, 3, 1)).as_of == date(2026, 3, 1)


def test_the_home_comes_from_the_environment_when_nobody_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "retention.env").write_text("RETENTION_KEEP_BUILDS=2\n")
    monkeypatch.setenv("RETENTION_HOME", str(tmp_path))
    assert Settings().keep_builds == load_settings().keep_builds == 2
    assert load_settings().published_file == tmp_path / "published" / "retention.duckdb"


def test_an_override_of_the_zone_reaches_extraction_too(tmp_path: Path) -> None:
    assert load_settings(tmp_path, vars={"company_timezone": "Asia/Tokyo"}).zone.key == "Asia/Tokyo"
    with pytest.raises(ValidationError, match="IANA"):
        load_settings(tmp_path, vars={"company_timezone": "Moscow time"})


def test_an_unknown_source_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="otrs; known: bitrix24, znuny, files, billing"):
        load_settings(tmp_path, sources=["otrs"])


@pytest.mark.parametrize("written", ['["files", "znuny"]', "files,znuny", " files , znuny "])
def test_sources_may_be_written_as_a_list_or_with_commas(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETENTION_SOURCES", written)
    assert load_settings(tmp_path).sources == ["files", "znuny"]


def test_a_password_does_not_show_when_settings_are_printed(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, billing_url="postgresql://reader:hunter2@localhost/billing")
    assert "hunter2" not in f"{settings!r} {settings}"
