"""Harm: a folder that is written anew every night, now by a script, now by a spreadsheet, loses a row or keeps one that
is gone, because a load was cut off between two nights."""

import csv
import io
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention import build
from retention.extract import extract_source
from retention.settings import load_settings
from retention.sources import entities
from tests.sources.histories import (
    POINTS,
    bounded,
    canonical,
    go_through,
    killed_load,
    leftovers,
    long_lives,
    once,
    present,
)

COLUMNS = ("client_key", "name", "segment", "registered_at")
KEY = st.integers(1, 6).map("c{}".format)
CLIENT = st.tuples(KEY, st.sampled_from(["Ромашка", 'a "quoted", one', "two\nlines"]), st.sampled_from(["", "retail"]))
CUT = st.none() | st.tuples(st.sampled_from(POINTS), st.integers(1, 6))
DIALECT = st.tuples(
    st.sampled_from([",", ";"]), st.sampled_from(["utf-8", "utf-8-sig"]), st.sampled_from(["\n", "\r\n"])
)
STEP = st.one_of(
    # The file as a whole, rows in any order, a key twice: the last row of it counts.
    st.tuples(st.just("csv"), st.lists(CLIENT, min_size=1, max_size=8), DIALECT, st.permutations(COLUMNS)),
    st.tuples(st.just("parquet"), st.lists(CLIENT, min_size=1, max_size=8)),
    st.tuples(st.just("load"), st.booleans(), CUT),
)


class Folder:
    """A folder with a file of clients, and one contract so that somebody pays."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.clients: dict[str, tuple] = {}
        place.mkdir()
        (place / "contracts.csv").write_text(
            "contract_key,client_key,plan,price,billing_period,started_on,is_trial\nk1,c1,basic,10,month,2024-01-01,false\n"
        )
        self.csv([("c1", "One", "")], (",", "utf-8", "\n"), COLUMNS)

    def do(self, step: tuple) -> None:
        match step:
            case ("csv", clients, dialect, order):
                self.csv(clients, dialect, order)
            case ("parquet", clients):
                self.parquet(clients)

    def csv(self, clients, dialect, order) -> None:
        delimiter, encoding, end = dialect
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
        writer.writerow(order)
        day = "05.01.2024" if delimiter == ";" else "2024-01-05"
        for client in clients:
            row = dict(zip(COLUMNS, (*client, day), strict=True))
            writer.writerow([row[name] for name in order])
        (self.place / "clients.parquet").unlink(missing_ok=True)
        (self.place / "clients.csv").write_bytes(text.getvalue().encode(encoding))
        self._remember(clients)

    def parquet(self, clients) -> None:
        values = ", ".join("(?, ?, ?)" for _ in clients)
        with duckdb.connect() as connection:
            connection.execute(
                f"create table clients as select *, timestamp '2024-01-05' as registered_at "
                f"from (values {values}) as given(client_key, name, segment)",
                [value for client in clients for value in client],
            )
            connection.execute(f"copy clients to '{self.place / 'clients.parquet'}' (format parquet)")
        (self.place / "clients.csv").unlink(missing_ok=True)
        self._remember(clients)

    def _remember(self, clients) -> None:
        self.clients = {key: (key, name, segment or None) for key, name, segment in clients}

    def rows(self) -> list[tuple]:
        return sorted(self.clients.values(), key=str)


def settings_of(home: Path, folder: Folder):
    return load_settings(home, sources=["files"], files_dir=folder.place, as_of="2026-01-01")


def landed(settings) -> list[tuple]:
    (clients,) = [entity for entity in entities(settings, "files") if entity.name == "clients"]
    return sorted(present(settings, clients, "client_key, name, segment"), key=str)


@contextmanager
def lived(steps):
    """A folder after a life, and the settings of a home that has landed it as it is at the end."""
    with TemporaryDirectory() as place:
        folder = Folder(Path(place) / "files")
        settings = settings_of(Path(place) / "home", folder)
        go_through(settings, "files", steps, folder.do)
        extract_source(settings, "files")
        yield folder, settings


def test_after_any_history_the_landed_rows_are_those_of_the_folder(tmp_path):
    @bounded
    @given(st.lists(STEP, min_size=4, max_size=14))
    def live(steps):
        with lived(steps) as (folder, settings):
            assert landed(settings) == folder.rows()
            assert leftovers(settings.home) == []

    live()


def test_the_canonical_clients_are_those_of_the_folder_after_a_long_life(tmp_path):
    @once
    @given(long_lives(STEP, 15, 20))
    def live(steps):
        with lived(steps) as (folder, settings):
            rows = canonical(settings, "clients", "client_key, name, segment")
            assert sorted(rows, key=str) == folder.rows()

    live()


@pytest.mark.parametrize("point", ["_finish", "fsync", "write_load", "write_tombstones"])
def test_a_load_that_is_killed_is_made_good_by_the_next(tmp_path, point):
    folder = Folder(tmp_path / "files")
    settings = settings_of(tmp_path / "home", folder)
    extract_source(settings, "files")
    folder.csv([("c2", "Two", "retail"), ("c2", "Two again", "retail")], (";", "utf-8-sig", "\r\n"), COLUMNS)
    assert killed_load(settings, "files", point, 1)
    extract_source(settings, "files")
    assert landed(settings) == folder.rows() == [("c2", "Two again", "retail")]


def test_the_canonical_rows_are_those_of_the_folder_in_every_spelling(tmp_path):
    folder = Folder(tmp_path / "files")
    settings = settings_of(tmp_path / "home", folder)
    folder.csv(
        [("c1", "One", ""), ("c2", "Two", "retail"), ("c2", "Two", "finance")], (";", "utf-8-sig", "\r\n"), COLUMNS
    )
    extract_source(settings, "files")
    build.prepare(settings)
    build.run_dbt(settings, "check")
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'Europe/Moscow'")
        rows = connection.execute(
            "select client_key, name, segment, registered_at::varchar from staging.stg_canonical__clients order by 1"
        ).fetchall()
    assert rows == [("c1", "One", None, "2024-01-05 00:00:00+03"), ("c2", "Two", "finance", "2024-01-05 00:00:00+03")]


def test_the_hours_of_a_spreadsheet_have_one_digit_before_ten(tmp_path):
    folder = Folder(tmp_path / "files")
    times = {
        "31.12.2024 9:05": "2024-12-31 09:05:00+03",
        "31.12.2024 9:05:07": "2024-12-31 09:05:07+03",
        "31.12.2024 09:05": "2024-12-31 09:05:00+03",
        "31.12.2024 19:05": "2024-12-31 19:05:00+03",
        "31.12.2024 0:00": "2024-12-31 00:00:00+03",
        "2024-12-31 9:05": "2024-12-31 09:05:00+03",
        "2024-12-31 9:05:07": "2024-12-31 09:05:07+03",
        "31.12.2024 9:5": None,
        "31.12.2024 24:05": None,
        "31.12.24 9:05": None,
    }
    rows = [f"c{number},x,{text}" for number, text in enumerate(times)]
    (folder.place / "clients.csv").write_text("\n".join(["client_key,name,registered_at", *rows, ""]))
    (folder.place / "contracts.csv").write_text(
        "contract_key,client_key,plan,price,billing_period,started_on,is_trial\n"
        "k1,c0,basic,10,month,31.12.2024 0:00,false\nk2,c0,basic,10,month,31.12.2024 9:05,false\n"
    )
    settings = settings_of(tmp_path / "home", folder)
    extract_source(settings, "files")
    build.prepare(settings)
    build.run_dbt(settings, "check")
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'Europe/Moscow'")
        read = dict(
            connection.execute(
                "select client_key, registered_at::varchar from staging.stg_canonical__clients"
            ).fetchall()
        )
        days = connection.execute(
            "select contract_key, started_on::varchar from staging.stg_canonical__contracts"
        ).fetchall()
    assert {text: read.get(f"c{number}") for number, text in enumerate(times)} == times
    assert days == [("k1", "2024-12-31")]  # a day with a time is no day, unless it is midnight
