"""Harm: a folder of twenty files is mended one message at a time; or it is called good and loses rows when loaded."""

import csv
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from retention import build, files_check, pipeline, template
from retention.cli import app
from retention.files_check import Fault, find_faults
from retention.settings import load_settings
from retention.sources.contract import CANONICAL
from tests.reference.companies import CASES

CLIENTS = "client_key;name;registered_at;marketing_consent\n"
CONTRACTS = "contract_key,client_key,plan,price,billing_period,started_on,ended_on,is_trial\n"


def faults(folder: Path) -> list[Fault]:
    return find_faults(load_settings(folder / "home", sources=["files"], files_dir=folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with something wrong in every file but one, and nothing that hides anything else."""
    (tmp_path / "clients.csv").write_text(
        "# filled in by hand\n"
        + CLIENTS
        + "c1;Anna Example;05.01.2024;true\n"
        + ";Boris Example;05.01.2024 10:00;maybe\n"
        + "c3;;2024/01/05;\n",
        encoding="utf-8-sig",
    )
    (tmp_path / "contracts.csv").write_text(
        CONTRACTS
        + 'k1,c1,basic,"1\u00a0234,50",month,05.01.2024,,false\n'
        + "k2,c1,basic,-5,fortnight,2024-05-01,2024-04-01,false\n"
        + 'k3,c1,basic,"1,234.50",month,2024-05-01,,false\n'
    )
    (tmp_path / "payments.csv").write_text(
        "payment_key,client_key,amount,status,paid_at\n"
        'p1,c1,10,ok\np2,c1,10,failed,2024-01-01,x\n\n,,,,\np3,c1,"1,234",failed,2024-01-01\n'
    )
    (tmp_path / "refunds.csv").write_text("refund_key,client_key,amount\n")
    (tmp_path / "deals.csv").write_bytes("deal_key,client_key\nd1,Имя\n".encode("cp1251"))
    (tmp_path / "feedback.csv").write_text(
        "feedback_key,client_key,kind,score,is_public,submitted_at\n"
        'f1,c1,review,"4,5",true,2024-01-01\n\nf2,c1,review,7,true,2024-01-01\n'
    )
    return tmp_path


def test_every_fault_of_every_file_is_told_at_once_with_its_place_and_value_and_no_names(folder, capsys):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    told = faults(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert [(fault.file, fault.row, fault.column, fault.rule) for fault in told] == [
        # Above the rows of clients stand a comment and the header.
        ("clients.csv", 4, "client_key", "missing_client_key"),
        ("clients.csv", 4, "marketing_consent", "unreadable_value"),
        ("clients.csv", 5, "name", "missing_name"),
        ("clients.csv", 5, "registered_at", "unreadable_value"),
        ("deals.csv", None, "", "unreadable_file"),
        ("contracts.csv", 3, "billing_period", "unknown_code"),
        ("contracts.csv", 3, "ended_on", "reversed_interval"),
        ("contracts.csv", 3, "price", "negative_price"),
        ("contracts.csv", 4, "price", "unreadable_value"),
        ("payments.csv", 2, "", "uneven_row"),
        ("payments.csv", 3, "", "uneven_row"),
        ("payments.csv", 6, "amount", "unreadable_value"),  # below a blank row and one of separators only
        ("refunds.csv", None, "requested_at", "missing_column"),
        ("feedback.csv", 4, "score", "score_out_of_range"),  # below a blank row
    ]
    values = {fault.value for fault in told if fault.file == "contracts.csv"}
    assert values == {"fortnight", "2024-04-01", "-5", "1,234.50"}
    files_check.show(told, folder)
    printed = capsys.readouterr().out
    assert "fortnight" in printed
    assert "Example" not in printed
    assert "Имя" not in printed


def test_rows_are_judged_below_separators_alone_and_between_two_kinds_of_line_ends(folder):
    (folder / "contracts.csv").write_bytes(
        CONTRACTS.encode()
        + b'k1,c1,"basic\nor so",10,fortnight,2024-05-01,,false\r\n,,\r\n,,,,,,,,,\n'
        + b"k2,c1,basic,-5,month,2024-05-01,,false,,\r\n"
    )
    told = [fault for fault in faults(folder) if fault.file == "contracts.csv"]
    assert told == [
        Fault("contracts.csv", 2, "billing_period", "unknown_code", "fortnight"),
        Fault("contracts.csv", 5, "price", "negative_price", "-5"),
    ]


def test_a_row_with_separators_after_its_last_column_is_judged(folder):
    (folder / "contracts.csv").write_text(CONTRACTS + "k1,c1,basic,-5,month,2024-05-01,,false,,\n")
    told = [fault for fault in faults(folder) if fault.file == "contracts.csv"]
    assert told == [Fault("contracts.csv", 2, "price", "negative_price", "-5")]


def test_a_long_text_in_a_column_that_nobody_reads_stops_no_check(folder):
    with (folder / "feedback.csv").open("w") as feedback:
        feedback.write("feedback_key,client_key,kind,score,is_public,submitted_at,words\n")
        feedback.write(f"f1,c1,review,7,true,2024-01-01,{'x' * 200_000}\n")
    assert Fault("feedback.csv", 2, "score", "score_out_of_range", "7") in faults(folder)


def test_the_command_fails_with_a_table_and_writes_every_fault_when_asked(folder, tmp_path):
    with (folder / "clients.csv").open("a", encoding="utf-8") as clients:
        clients.writelines(f"x{number};;05.01.2024;\n" for number in range(40))
    target = tmp_path / "faults.csv"
    result = CliRunner().invoke(app, ["check", "--files", str(folder), "--output", str(target)])
    assert result.exit_code == 1
    assert "36 rows more" in result.output  # 41 of one kind, five of them shown
    with target.open(encoding="utf-8") as handle:
        written = list(csv.DictReader(handle))
    assert sum(row["rule"] == "missing_name" for row in written) == 41


def test_a_seed_that_cannot_be_used_hides_no_other_fault(folder):
    (folder / "seeds").mkdir()
    (folder / "seeds" / "reasons.csv").write_text("a\n")
    found = {(fault.file, fault.rule) for fault in faults(folder)}
    assert ("seeds", "unusable_seed") in found
    assert ("contracts.csv", "negative_price") in found


def test_a_folder_without_clients_says_so_and_judges_the_rest(folder):
    (folder / "clients.csv").unlink()
    found = {(fault.file, fault.rule) for fault in faults(folder)}
    assert ("clients.csv", "missing_file") in found
    assert ("contracts.csv", "negative_price") in found


def test_the_verdict_on_each_row_is_that_of_a_build(tmp_path):
    case = CASES[0]
    folder = case.write(tmp_path / "files")
    settings = load_settings(tmp_path / "home", sources=["files"], files_dir=folder, as_of=case.as_of)
    found = find_faults(settings)
    pipeline.extract(settings, ["files"], lambda text: None)
    build.prepare(settings)
    build.run_dbt(settings, "check")
    for entity in CANONICAL:
        with duckdb.connect(str(settings.build_file), read_only=True) as connection:
            rows = connection.execute(f"select row_number + 1, rule from quarantine.{entity} order by 1").fetchall()
        told = {fault.row: [] for fault in found if fault.file == f"{entity}.csv"}
        for fault in found:
            if fault.file == f"{entity}.csv":
                told[fault.row].append(fault.rule)
        assert sorted(told) == [row for row, _ in rows], entity
        assert all(rule in told[row] for row, rule in rows), entity


def test_a_template_says_what_every_column_means_and_is_run_once_it_is_filled_in(tmp_path):
    written = template.write(tmp_path / "files")
    assert {path.stem for path in written} == set(CANONICAL)
    for path in written:
        text = path.read_text(encoding="utf-8-sig")
        assert all(f"# {column}: " in text for column in CANONICAL[path.stem].columns), path
    empty = CliRunner().invoke(app, ["check", "--files", str(tmp_path / "files")])
    assert empty.exit_code == 1
    assert "no_rows" in empty.output
    with (tmp_path / "files" / "clients.csv").open("a", encoding="utf-8") as clients:
        clients.write("c1,One,,,,,05.01.2024 10:00,,true,\n")
    with (tmp_path / "files" / "contracts.csv").open("a", encoding="utf-8") as contracts:
        contracts.write('k1,c1,basic,"1 234,50",,month,05.01.2024,,,false,\n')
    run = ["run", "--files", str(tmp_path / "files"), "--home", str(tmp_path / "home"), "--as-of", "2024-03-01"]
    result = CliRunner().invoke(app, run)
    assert result.exit_code == 0, result.output
    with duckdb.connect(str(tmp_path / "home" / "published" / "retention.duckdb"), read_only=True) as marts:
        row = marts.execute(
            "select client_id, mrr::varchar, first_started_on::varchar from marts.dim_clients"
        ).fetchone()
    assert row == ("c1", "1234.50", "2024-01-05")


def test_a_template_is_not_written_over_files(tmp_path):
    (tmp_path / "clients.csv").write_text("mine")
    result = CliRunner().invoke(app, ["template", str(tmp_path)])
    assert result.exit_code == 1
    assert "already has clients.csv" in result.output
    assert (tmp_path / "clients.csv").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / "clients.csv"]
