"""Harm: a killed load that is half visible, a change that is taken for an old row, or a file that changed its columns
unnoticed would each make every number of the warehouse quietly wrong."""

import json
import logging
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from retention import extract as extraction
from retention import landing, landing_writer, schema_drift
from retention.extract import extract_source
from retention.sources import SourceError, entities
from retention.sources.files import FilesSource

KILLED = """
import sys, time
from retention import landing_writer
from retention.extract import extract_source
from retention.settings import load_settings

def hang(*_):
    print("reached", flush=True)
    time.sleep(60)

setattr(landing_writer, sys.argv[1], hang)
extract_source(load_settings(sys.argv[2], sources=["files"], files_dir=sys.argv[3], as_of="2026-01-01"), "files")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "clients.csv").write_text("client_key,name,registered_at\nc1,One,2024-01-01\nc2,Two,2024-01-02\n")
    (folder / "contracts.csv").write_text(
        "contract_key,client_key,plan,price,billing_period,started_on,is_trial\nk1,c1,p,10,month,2024-01-01,false\n"
    )
    return folder


# sha256 runs when the rows are written and the manifest is not; fsync when the manifest is and the rename is not.
@pytest.mark.parametrize("moment", ["sha256", "fsync"])
def test_a_load_killed_in_the_middle_does_not_exist_and_the_next_one_lands_everything_once(
    moment, folder, home, settings_for, landed_rows
):
    settings = settings_for(sources=["files"], files_dir=folder)
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, moment, str(home), str(folder)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"reached\n"
    child.send_signal(signal.SIGKILL)
    child.wait()

    leftovers = list((home / "landing" / "files" / "clients").iterdir())
    assert leftovers and all(path.name.startswith(landing.TEMPORARY) for path in leftovers)
    assert landing.loads(settings, "files", "clients") == []
    assert landed_rows(settings, "files__clients") == []
    assert landing.complete_until(settings, "files") is None

    extract_source(settings, "files")
    assert landed_rows(settings, "files__clients", "client_key") == [("c1",), ("c2",)]
    assert all(
        path.name.startswith(("load=", "deleted=")) for path in (home / "landing" / "files" / "clients").iterdir()
    )


def test_a_folder_without_a_manifest_is_not_a_load(folder, home, settings_for, landed_rows):
    settings = settings_for(sources=["files"], files_dir=folder)
    extract_source(settings, "files")
    (landing.loads(settings, "files", "clients")[0].folder / landing.MANIFEST).unlink()
    assert landing.loads(settings, "files", "clients") == []
    assert landed_rows(settings, "files__clients") == []


def test_a_missing_or_cut_part_is_named_and_a_changed_one_fails_its_checksum(folder, settings_for, landed_rows):
    settings = settings_for(sources=["files"], files_dir=folder)
    extract_source(settings, "files")
    assert landing.verify(settings) == []
    part = landing.folders(settings, "files", "clients", "rows")[0].part
    content = part.read_bytes()
    part.write_bytes(content[:-1] + b"x")
    (wrong,) = landing.verify(settings)
    assert wrong.startswith(f"{part} does not have the checksum of its manifest. Restore it from a backup.")
    part.write_bytes(content[:-5])
    with pytest.raises(SourceError, match="missing or cut short"):
        landed_rows(settings, "files__clients")


def test_the_manifest_says_what_was_landed(folder, settings_for):
    settings = settings_for(sources=["files"], files_dir=folder)
    extract_source(settings, "files")
    load = landing.loads(settings, "files", "clients")[0]
    manifest = json.loads((load.folder / landing.MANIFEST).read_text())
    assert manifest["rows"] == 2
    assert manifest["kind"] == "rows"
    assert manifest["is_full"] is True
    assert manifest["complete_until"] == "2026-01-01"
    assert {"name": "client_key", "type": "VARCHAR"} in manifest["schema"]
    assert manifest["files"][0]["sha256"] == landing.sha256(load.folder / landing.PART)


def test_load_ids_grow_even_when_the_clock_was_set_back(settings_for, home):
    settings = settings_for()
    first = landing_writer.new_load_id(settings)
    (home / "landing" / ".last_load_id").write_text("29990101T000000.000000Z")
    second = landing_writer.new_load_id(settings)
    third = landing_writer.new_load_id(settings)
    assert first < second < third
    assert second == "29990101T000000.000001Z"


def test_every_table_of_every_source_exists_also_when_nothing_landed(settings_for):
    settings = settings_for(sources=["files"])
    with duckdb.connect() as connection:
        landing.create_landing_views(connection, settings)
        for source in ("files", "znuny", "bitrix24"):
            for entity in entities(settings, source):
                relation = connection.execute(f"select * from landing.{source}__{entity.name}")
                names = [column[0] for column in relation.description]
                assert names == [*entity.columns, "_load_id", "_row_number"]
                assert relation.fetchall() == []
        assert connection.execute("select * from landing.loads").fetchall() == []


def test_a_source_that_is_not_enabled_is_empty_although_it_landed_before(folder, settings_for, landed_rows):
    settings = settings_for(sources=["files"], files_dir=folder)
    extract_source(settings, "files")
    other = settings_for(sources=["billing"])
    assert landed_rows(other, "files__clients") == []
    assert landed_rows(other, "loads") == []


def test_two_processes_do_not_land_one_source_at_once(folder, settings_for, monkeypatch):
    monkeypatch.setattr(landing_writer, "LOCK_WAIT_SECONDS", 0)
    settings = settings_for(sources=["files"], files_dir=folder)
    with (
        landing_writer.locked(settings, "files"),
        pytest.raises(SourceError, match="another process has been landing files"),
    ):
        extract_source(settings, "files")


def test_a_long_load_says_that_it_is_still_going_on_and_every_load_what_it_brought(
    folder, settings_for, monkeypatch, caplog
):
    monkeypatch.setattr(extraction, "PROGRESS_SECONDS", 0.01)
    read = FilesSource.extract

    def slowly(*arguments):
        time.sleep(0.1)
        read(*arguments)

    monkeypatch.setattr(FilesSource, "extract", slowly)
    said = []
    with caplog.at_level(logging.INFO):
        extract_source(settings_for(sources=["files"], files_dir=folder), "files", said.append)
    assert any(text.startswith("files.clients: reading for ") for text in said)
    assert re.search(r"files\.clients: 2 rows read, 2 new or changed in \d+\.\d s", caplog.text)


@pytest.mark.parametrize(
    ("before", "after", "holds"),
    [
        ("INTEGER", "BIGINT", True),
        ("BIGINT", "INTEGER", False),
        ("UINTEGER", "UBIGINT", True),
        ("UINTEGER", "BIGINT", True),
        ("UINTEGER", "INTEGER", False),
        ("INTEGER", "UBIGINT", False),
        ("ENUM('new', 'paid')", "ENUM('new', 'paid', 'lost')", True),
        ("ENUM('new', 'paid')", "VARCHAR", True),
        ("DECIMAL(18,2)", "DECIMAL(20,4)", True),
        ("DECIMAL(18,2)", "DECIMAL(18,4)", False),
        ("DECIMAL(18,2)", "VARCHAR", False),
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", False),
    ],
)
def test_only_a_wider_type_is_taken_for_the_same_column(before, after, holds):
    assert schema_drift._holds(before, after) is holds
