"""Harm prevented: a measurement that nobody can repeat, because the program that took it does not run any more."""

from benchmarks import extraction, landing


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
