"""Harm: a system that is down for a day would keep the others from landing; or its missing day would be published as a
day on which nothing happened."""

import traceback
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from pydantic import SecretStr
from requests.exceptions import ConnectionError

from retention import landing, pipeline
from retention.build import resolve_as_of
from retention.extract import extract_source
from retention.sources import SourceError
from retention.sources.database import DatabaseSource
from tests.publish.company import write_company

NOWHERE = SecretStr("postgresql://reader:hunter2@127.0.0.1:1/znuny")


def silent(text: str) -> None:
    """Progress that nobody reads."""


def test_a_source_that_is_down_holds_the_clock_back_and_the_others_still_land(znuny, settings_for, tmp_path):
    _, first = znuny
    files = write_company(tmp_path / "files", 4)

    def settings(day: str | None, **more):
        return settings_for(
            **{"sources": ["znuny", "files"], "files_dir": files, "znuny_url": first.znuny_url, "as_of": day} | more
        )

    pipeline.extract(settings("2026-01-01"), ["znuny", "files"], silent)
    with pytest.raises(SourceError) as failed:
        pipeline.extract(settings("2026-01-02", znuny_url=NOWHERE), ["znuny", "files"], silent)
    assert "znuny: the database at 127.0.0.1:1/znuny does not answer" in str(failed.value)
    assert "hunter2" not in str(failed.value)

    today = settings("2026-01-02").model_copy(update={"as_of": None})
    assert landing.complete_until(today, "files") == date(2026, 1, 2)
    assert landing.complete_until(today, "znuny") == date(2026, 1, 1)
    assert resolve_as_of(today) == date(2026, 1, 1)

    pipeline.extract(settings("2026-01-02"), ["znuny"], silent)
    assert resolve_as_of(today) == date(2026, 1, 2)


def test_every_source_that_failed_is_named_at_the_end(settings_for, tmp_path):
    settings = settings_for(sources=["znuny", "files"], znuny_url=NOWHERE, files_dir=tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"znuny: the database(.|\n)*files: .*nowhere is not a folder"):
        pipeline.extract(settings, settings.sources, silent)


@pytest.mark.parametrize(
    ("error", "told", "hidden"),
    [
        (duckdb.ConversionException("Could not convert 'Ivan Petrov'"), "ConversionException at ", "Ivan"),
        (TypeError("not a number: 'Ivan Petrov'"), "TypeError at ", "Ivan"),
        (ConnectionError("https://portal.example/rest/1/s3cr3t/"), "ConnectionError at ", "s3cr3t"),
        (OSError(28, "No space left on device"), "No space left on device", "not shown"),
        (duckdb.OutOfMemoryException("failed to allocate 2 MiB"), "failed to allocate 2 MiB", "not shown"),
    ],
)
def test_an_error_that_nobody_foresaw_names_the_table_and_no_row_and_the_others_still_land(
    error, told, hidden, znuny, tmp_path, monkeypatch, caplog, settings_for
):
    _, first = znuny
    files = write_company(tmp_path / "files", 4)
    settings = settings_for(sources=["znuny", "files"], files_dir=files, znuny_url=first.znuny_url)

    def fails(self, entity, *_):
        raise error

    monkeypatch.setattr(DatabaseSource, "extract", fails)
    with pytest.raises(SourceError) as failed:
        pipeline.extract(settings, settings.sources, silent)
    assert str(failed.value).startswith("znuny.ticket: ")
    assert told in str(failed.value)
    assert "sources/znuny.py" in str(failed.value)
    everything = "".join(traceback.format_exception(failed.value)) + caplog.text
    assert hidden not in str(failed.value) and (hidden not in everything or hidden == "not shown")
    assert "in fails" in caplog.text  # whoever mends it finds the place in the log
    assert landing.complete_until(settings, "files") == date(2026, 1, 1)


@pytest.mark.parametrize("hours", [-30, 30])
def test_a_day_counts_as_complete_only_when_both_clocks_have_finished_it(settings_for, hours):
    settings = settings_for(sources=["znuny"]).model_copy(update={"as_of": None})
    now = datetime.now(UTC)
    days = {landing.today_complete(settings), landing.today_complete(settings, now + timedelta(hours=hours))}
    today = now.astimezone(settings.zone).date()
    earliest = (now + timedelta(hours=min(0, hours))).astimezone(settings.zone).date()
    assert days == {today, earliest}


def test_a_source_whose_clock_is_behind_is_known_less_far(znuny, monkeypatch):
    _, settings = znuny
    settings = settings.model_copy(update={"as_of": None})
    behind = datetime.now(UTC) - timedelta(days=2)
    monkeypatch.setattr(DatabaseSource, "clock", lambda self: behind)
    extract_source(settings, "znuny")
    assert landing.complete_until(settings, "znuny") == behind.astimezone(settings.zone).date()
