"""Harm: merging that loses a row, an order or a deletion changes every number and leaves nothing to compare with.
Without merging each load of a warehouse that is a year old opens thousands of files."""

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from retention import build, landing, landing_merge, landing_writer
from retention.extract import extract_source, reconcile_source
from retention.sources import SourceError, entities

DAYS = 7
HEADER = "client_key,name,registered_at\n"


def clients(day: int) -> str:
    """The clients of a day: one is renamed every day, one leaves, one comes, the last comes back every second day."""
    rows = [("c0", f"Zero {day}"), (f"n{day}", "New"), (f"n{day + 1}", "Newer")]
    rows += [("again", "Again")] if day % 2 else []
    return HEADER + "".join(f"{key},{name},2024-01-01\n" for key, name in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "contracts.csv").write_text(
        "contract_key,client_key,plan,price,billing_period,started_on,is_trial\nk1,c0,p,10,month,2024-01-01,false\n"
    )
    return folder


@pytest.fixture
def settings(folder, settings_for, monkeypatch):
    """A week of loads of the files; merging begins at four folders."""
    monkeypatch.setattr(landing_merge, "MANY", 4)
    for day in range(DAYS):
        (folder / "clients.csv").write_text(clients(day))
        settings = settings_for(sources=["files"], files_dir=folder, as_of=f"2026-01-0{day + 1}")
        extract_source(settings, "files")
    return settings


def seen(settings) -> dict:
    """Everything that anybody takes from the landing zone of the clients."""
    (entity,) = [entity for entity in entities(settings, "files") if entity.name == "clients"]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        landing.create_landing_views(connection, settings)
        rows = connection.execute("select * from landing.files__clients order by _load_id, _row_number").fetchall()
        listed = connection.execute("select * from landing.loads order by all").fetchall()
    every = landing.loads(settings, "files", "clients"), landing.tombstones(settings, "files", "clients")
    return {
        "rows": rows,
        "listed": listed,
        "loads": [(load.load_id, load.kind, load.manifest) for some in every for load in some],
        "fingerprint": build.fingerprint(settings, build.resolve_as_of(settings)),
        "complete_until": landing.complete_until(settings, "files"),
        "checksum": landing.last_checksum(settings, entity),
    }


def merge(settings) -> None:
    (entity,) = [entity for entity in entities(settings, "files") if entity.name == "clients"]
    with landing_writer.locked(settings, "files"), duckdb.connect() as connection:
        landing_merge.merge_loads(connection, settings, entity)


def names(settings) -> list[str]:
    return sorted(path.name for path in (settings.landing / "files" / "clients").iterdir())


def beginnings(settings) -> set[str]:
    return {name.partition("=")[0] for name in names(settings)}


def age(settings, seconds: float) -> None:
    """Put the merged folders into the past."""
    for kind in landing.MERGED.values():
        for manifest in settings.landing.glob(f"*/*/{kind}*/{landing.MANIFEST}"):
            os.utime(manifest, (manifest.stat().st_atime, manifest.stat().st_mtime - seconds))


def test_a_week_in_one_folder_is_the_same_week(settings):
    before = seen(settings)
    assert len(before["rows"]) > DAYS and len(before["loads"]) == 2 * DAYS - 1
    reconcile_source(settings, "files")
    assert beginnings(settings) == {"load", "deleted", "loads", "deletions"}
    assert seen(settings) == before
    assert [folder.is_merged for folder in landing.folders(settings, "files", "clients", "rows")] == [True]

    age(settings, landing_merge.GRACE_SECONDS + 60)
    reconcile_source(settings, "files")
    assert beginnings(settings) == {"loads", "deletions"}
    assert len(names(settings)) == 2
    assert seen(settings) == before
    assert landing.verify(settings) == []


def test_loads_after_a_merge_and_merges_of_merges_go_on_as_without_them(folder, settings, settings_for, tmp_path):
    copy = tmp_path / "unmerged"
    shutil.copytree(settings.home, copy)
    plain = settings.model_copy(update={"home": copy})
    for day in range(DAYS, DAYS + 9):
        (folder / "clients.csv").write_text(clients(day))
        merge(settings)
        age(settings, landing_merge.GRACE_SECONDS + 60)
        for home in (settings, plain):
            extract_source(home, "files")
    assert len(names(plain)) == 2 * (DAYS + 9) - 1
    assert len(names(settings)) < 2 * (landing_merge.MANY + 1)
    without_ids = [
        [(row[:-2], row[-1]) for row in seen(home)["rows"]] for home in (settings, plain)
    ]  # the two homes gave out ids of their own
    assert without_ids[0] == without_ids[1]


def test_a_reader_that_began_before_the_merge_still_has_its_files_and_nobody_a_row_twice(settings):
    (entity,) = [entity for entity in entities(settings, "files") if entity.name == "clients"]
    query = landing.relation_sql(settings, entity)
    with duckdb.connect() as connection:
        rows = connection.execute(f"from ({query}) order by all").fetchall()
        merge(settings)
        merge(settings)
        for anew in (query, landing.relation_sql(settings, entity)):
            assert connection.execute(f"from ({anew}) order by all").fetchall() == rows
        age(settings, landing_merge.GRACE_SECONDS - 60)
        merge(settings)
        assert connection.execute(f"from ({query}) order by all").fetchall() == rows


KILLED = """
import os, signal, sys
from retention import landing_merge, landing_writer
from retention.extract import reconcile_source
from retention.settings import load_settings

landing_merge.MANY, landing_merge.GRACE_SECONDS = 4, 0
where, name = {"before": (landing_writer, "seal"), "after": (landing_merge.log, "info"),
               "removing": (landing_merge.shutil, "rmtree")}[sys.argv[1]]
if sys.argv[1] == "removing":
    def die(path):
        os.unlink(path / "part-0.parquet")
        os.kill(os.getpid(), signal.SIGKILL)
else:
    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)
setattr(where, name, die)
reconcile_source(load_settings(sys.argv[2], sources=["files"], files_dir=sys.argv[3], as_of="2026-01-07"), "files")
"""


@pytest.mark.parametrize("moment", ["before", "after", "removing"])
def test_a_merge_that_is_killed_leaves_the_rows_as_they_were(moment, folder, settings):
    before = seen(settings)
    if moment == "removing":
        merge(settings)
        age(settings, 60)
    command = [sys.executable, "-c", KILLED, moment, str(settings.home), str(folder)]
    child = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    assert child.returncode == -9
    assert seen(settings) == before
    reconcile_source(settings, "files")
    assert seen(settings) == before
    assert not list(settings.landing.glob(f"*/*/{landing.TEMPORARY}*"))


def test_few_loads_stay_as_they_are(settings, monkeypatch):
    monkeypatch.setattr(landing_merge, "MANY", DAYS + 1)
    reconcile_source(settings, "files")
    assert beginnings(settings) == {"load", "deleted"}


def test_a_large_folder_is_not_written_again_for_a_few_small_ones(folder, settings_for, settings, monkeypatch):
    monkeypatch.setattr(landing_merge, "SMALL", 10)
    (folder / "clients.csv").write_text(HEADER + "".join(f"many{n},Many,2024-01-01\n" for n in range(100)))
    extract_source(settings, "files")
    merge(settings)
    (large,) = landing.folders(settings, "files", "clients", "rows")
    assert large.is_merged
    for day in range(4):
        (folder / "clients.csv").write_text(clients(day))
        extract_source(settings, "files")
    before = seen(settings)
    merge(settings)
    found = landing.folders(settings, "files", "clients", "rows")
    assert found[0] == large
    assert [(one.is_merged, one.rows) for one in found[1:]] == [(True, 14)]
    assert seen(settings) == before


RHYTHMS = {
    "ten rows an hour": lambda hour: 10,
    "busy days, quiet nights": lambda hour: 12_000 + 500 * (hour % 24) if 7 <= hour % 24 <= 20 else 100,
    "everything once, then a little": lambda hour: 5_000_000 if hour == 0 else 20,
    "everything every month": lambda hour: 1_000_000 if hour % 720 == 0 else 1_000,
}


@pytest.mark.parametrize("rhythm", RHYTHMS.values(), ids=RHYTHMS.keys())
def test_in_a_year_of_any_rhythm_there_are_few_folders_and_a_row_is_rewritten_a_few_times(rhythm):
    def folder(loads, rows, is_merged):
        some = [landing.Load("s", "e", "", "rows", Path(), {"rows": rows, "schema": []})] * min(1, rows)
        return landing.Folder(Path(), str(loads), "", is_merged, tuple(some), [])

    every, landed, written, most = [], 0, 0, 0
    for hour in range(365 * 24):
        landed += rhythm(hour)
        every.append(folder(1, rhythm(hour), False))
        if hour % 24 == 3:
            most = max(most, len(every))
            newest = landing_merge._newest_alike(every)
            if len(newest) >= landing_merge.MANY:
                written += sum(one.rows for one in newest)
                every[-len(newest) :] = [folder(len(newest), sum(one.rows for one in newest), True)]
    assert most < 100
    assert written < 12 * landed


def test_a_load_that_brought_nothing_is_merged_whatever_columns_it_has(settings):
    """A column that the company began to map and that nobody has filled yet."""
    (entity,) = [entity for entity in entities(settings, "files") if entity.name == "clients"]
    with landing_writer.locked(settings, "files"), duckdb.connect() as connection:
        names = [name for name in entity.columns if name != "segment"]
        columns = ", ".join(f"'x' as {name}" for name in names)
        empty = f"select {columns}, null::varchar as segment where false"
        for number, query in enumerate((f"select {columns}", empty)):
            with landing_writer.workspace(settings, entity) as folder:
                raw = folder / "raw.parquet"
                connection.execute(f"copy ({query}) to '{raw}' (format parquet)")
                landing_writer.write_load(
                    connection,
                    settings,
                    entity,
                    raw,
                    since=None,
                    now=None,
                    covers_until=None,
                    source_schema={},
                    whole=True,
                    input_checksum=str(number),
                )
        for part in landing.folders(settings, "files", "clients", "rows")[:DAYS]:
            shutil.rmtree(part.path)
        before = seen(settings)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(landing_merge, "MANY", 2)
            landing_merge.merge_loads(connection, settings, entity)
    assert [one.is_merged for one in landing.folders(settings, "files", "clients", "rows")] == [True]
    assert seen(settings) == before


@pytest.mark.parametrize("harm", ["another byte", "no rows"])
def test_what_is_damaged_is_not_merged_into_what_looks_right(harm, settings):
    part = landing.folders(settings, "files", "clients", "rows")[2].part
    content = part.read_bytes()
    if harm == "another byte":
        part.write_bytes(content[:20] + bytes([content[20] ^ 1]) + content[21:])
        told = "does not have the checksum of its manifest"
    else:
        # As if the manifest had been written for it: the count still speaks.
        with duckdb.connect() as connection:
            connection.execute(f"copy (from '{part}' limit 0) to '{part}.tmp' (format parquet)")
        Path(f"{part}.tmp").rename(part)
        manifest = part.with_name(landing.MANIFEST)
        text = json.loads(manifest.read_text())
        text["files"] = [landing_writer.described(part, 0)]
        manifest.write_text(json.dumps(text))
        told = "They were not merged"
    before = names(settings)
    with pytest.raises(SourceError, match=told):
        reconcile_source(settings, "files")
    assert names(settings) == before


def test_a_load_whose_id_fell_back_into_a_merged_range_still_counts(folder, settings, home):
    """The clock was ahead once, and the file that remembers the last id was not in the backup."""
    merge(settings)
    (merged,) = landing.folders(settings, "files", "clients", "rows")
    first = merged.loads[0].load_id
    (home / "landing" / ".last_load_id").unlink()
    assert landing_writer.new_load_id(settings) > merged.last

    (home / "landing" / ".last_load_id").write_text(first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landing_writer, "datetime", Stopped)
        (folder / "clients.csv").write_text(HEADER + "late,Late,2024-01-01\n")
        extract_source(settings, "files")
    late = landing.loads(settings, "files", "clients")[1]
    assert first < late.load_id < merged.last
    assert late.rows == 1
    before = seen(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landing_merge, "MANY", 2)
        age(settings, landing_merge.GRACE_SECONDS + 60)
        merge(settings)
    assert "late" in {row[0] for row in before["rows"]}
    assert seen(settings) == before


class Stopped(datetime):
    """A clock that stands long ago."""

    @classmethod
    def now(cls, tz=None):
        return datetime(2020, 1, 1, tzinfo=tz)


def test_loads_of_another_shape_are_not_merged(settings):
    """A wider type, as a database may get one: as text, the same number has another spelling."""
    (entity,) = [entity for entity in entities(settings, "files") if entity.name == "clients"]
    with landing_writer.locked(settings, "files"), duckdb.connect() as connection:
        for day in range(4):
            with landing_writer.workspace(settings, entity) as folder:
                raw = folder / "raw.parquet"
                connection.execute(f"copy (select 'x{day}' as client_key, {day} as name) to '{raw}' (format parquet)")
                landing_writer.write_load(
                    connection, settings, entity, raw, since=None, now=None, covers_until=None, source_schema={}
                )
    before = seen(settings)
    merge(settings)
    kinds = [one.is_merged for one in landing.folders(settings, "files", "clients", "rows")]
    assert kinds == [False] * DAYS + [True]
    assert seen(settings) == before


def test_a_merged_file_that_is_cut_short_or_changed_is_named_and_a_lost_row_is_seen(settings):
    reconcile_source(settings, "files")
    (merged,) = landing.folders(settings, "files", "clients", "rows")
    content = merged.part.read_bytes()
    merged.part.write_bytes(content[:-1] + b"x")
    (wrong,) = landing.verify(settings)
    assert wrong.startswith(f"{merged.part} does not have the checksum of its manifest. Restore it from a backup.")
    merged.part.write_bytes(content[:-5])
    with pytest.raises(SourceError, match=r"missing or cut short.*retention extract --full --source files"):
        seen(settings)


@pytest.mark.parametrize("forgets", ["_row_number", "_load_id"])
def test_the_comparison_of_these_tests_sees_what_a_merge_forgets(forgets, settings, monkeypatch):
    before = seen(settings)
    real = landing_merge.parts_sql
    monkeypatch.setattr(
        landing_merge,
        "parts_sql",
        lambda some: f"select * replace (min({forgets}) over () as {forgets}) from ({real(some)})",
    )
    merge(settings)
    assert seen(settings)["rows"] != before["rows"]
