"""Harm prevented: a measurement that nobody can repeat, because the program that took it does not run any more."""

from benchmarks import extraction


def test_the_benchmark_of_extraction_runs_and_reads_the_same_rows_in_every_way(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["extraction", "--rows", "300", "--runs", "1"])
    extraction.main()
    table = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| 1,200 ")]
    assert [line[2].strip() for line in table] == list(extraction.WAYS)
    assert all(float(line[3].split("(")[0]) > 0 for line in table)
