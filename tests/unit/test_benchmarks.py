"""Harm prevented: a measurement that nobody can repeat, because the program that took it does not run any more."""

from benchmarks import extraction, hourly, landing
from retention.sources import database


def test_the_benchmark_of_extraction_runs_and_reads_the_same_rows_in_every_way(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["extraction", "--rows", "300", "--runs", "1"])
    extraction.main()
    table = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| 1,200 ")]
    assert [line[2].strip() for line in table] == list(extraction.WAYS)
    assert all(float(line[3].split("(")[0]) > 0 for line in table)


def test_the_benchmark_of_the_landing_zone_runs_and_merges_what_it_made(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["landing", "--loads", "60", "--runs", "1"])
    landing.main()
    said = capsys.readouterr().out
    table = [[cell.strip() for cell in line.split("|")] for line in said.splitlines() if line.startswith("| ")][1:]
    assert [line[1] for line in table] == ["one row", "views", "reading"]
    assert all(float(line[column].split("(")[0]) > 0 for line in table for column in (2, 3))
    assert said.startswith("60 loads of 10 rows were in 60 folders and are in 1;")


def test_the_benchmark_of_an_hourly_load_runs_and_reads_the_same_changes_in_either_way(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["hourly", "--rows", "300", "--runs", "1"])
    # Tables too large for one page: else there is only one way.
    monkeypatch.setattr(database, "PAGE_ROWS", 50)
    monkeypatch.setattr(database, "RECENT_ROWS", 50)
    monkeypatch.setattr(hourly, "CHANGED_TICKETS", 10)
    hourly.main()
    table = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| 1,200 ")]
    assert [line[2].strip() for line in table] == ["by tickets", "by ids"]
    assert table[0][3] == table[1][3]
    assert int(table[0][3]) > 60
