"""Harm: a file that is misread silently (a wrong encoding, a shifted column, a lost digit), or one whose rows stay
in the warehouse after they were taken out of it."""

import logging
from pathlib import Path

import duckdb
import pytest

from demo.model import COLUMNS
from retention import landing, landing_writer
from retention.extract import extract_source, reconcile_source
from retention.sources import SourceError
from retention.sources.contract import CANONICAL
from retention.sources.files import ENTITIES

CLIENTS = "client_key,name,registered_at\nc1,One,2024-01-01\nc2,Two,2024-01-02\n"
CONTRACTS = "contract_key,client_key,plan,price,billing_period,started_on,is_trial\nk1,c1,p,10,month,2024-01-01,false\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "clients.csv").write_text(CLIENTS)
    (folder / "contracts.csv").write_text(CONTRACTS)
    return folder


@pytest.fixture
def settings(settings_for, folder):
    return settings_for(sources=["files"], files_dir=folder)


def _landed(results, entity):
    (result,) = [result for result in results if result.entity == entity]
    return result.rows, result.deleted


def test_rows_land_as_text_in_the_order_of_the_file(settings, folder, landed_rows):
    (folder / "clients.csv").write_text("name,client_key,registered_at\nB,007,01.02.2024\n,c2,\nA,c1,nonsense\n")
    extract_source(settings, "files")
    assert landed_rows(settings, "files__clients", "_row_number, client_key, name, registered_at, segment") == [
        (1, "007", "B", "01.02.2024", None),
        (2, "c2", None, None, None),
        (3, "c1", "A", "nonsense", None),
    ]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["without mark", "with byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix lines", "windows lines"])
def test_utf_8_quotes_commas_and_line_breaks_inside_values_survive(settings, folder, landed_rows, mark, end):
    text = end.join(
        ["client_key,name,registered_at", 'c1,"ООО ""Ромашка"", Москва",2024-01-01', 'c2,"two\nlines",2024-01-02', ""]
    )
    (folder / "clients.csv").write_bytes(mark + text.encode())
    extract_source(settings, "files")
    assert landed_rows(settings, "files__clients", "client_key, name") == [
        ("c1", 'ООО "Ромашка", Москва'),
        ("c2", "two\nlines"),
    ]


def test_empty_values_are_null_also_when_quoted(settings, folder, landed_rows):
    (folder / "clients.csv").write_text('client_key,name,segment,registered_at\nc1,"",,2024-01-01\n')
    extract_source(settings, "files")
    assert landed_rows(settings, "files__clients", "name, segment") == [(None, None)]


def test_parquet_values_become_text_without_loss(settings, folder, landed_rows):
    (folder / "contracts.csv").unlink()
    target = folder / "contracts.parquet"
    duckdb.execute(
        f"copy (select 12345678901234::bigint as contract_key, 'c1' as client_key, 'p' as plan, "
        f"12345678901234.56::decimal(18, 2) as price, 'month' as billing_period, date '2024-02-29' as started_on, "
        f"false as is_trial, '' as currency, timestamptz '2024-01-01 10:00:00.123456+03' as updated_at) "
        f"to '{target}' (format parquet)"
    )
    extract_source(settings, "files")
    columns = "contract_key, price, started_on, is_trial, currency, updated_at"
    assert landed_rows(settings, "files__contracts", columns) == [
        ("12345678901234", "12345678901234.56", "2024-02-29", "false", None, "2024-01-01 07:00:00.123456+00")
    ]


@pytest.mark.parametrize("type_", ["double", "float", "decimal(18, 2)"])
def test_whole_numbers_that_parquet_holds_as_fractions_land_as_whole_numbers(settings, folder, landed_rows, type_):
    # pandas turns a column of integers into one of floats as soon as a value is absent.
    duckdb.execute(
        f"copy (select col0 as payment_key, 'c1' as client_key, col1::{type_} as invoice_key, 10.5::{type_} as "
        f"amount, 'paid' as status, date '2024-01-01' as paid_at, '17.0' as currency "
        f"from (values ('p1', 17), ('p2', null), ('p3', 100), ('p4', -20000), ('p5', 0))) "
        f"to '{folder / 'payments.parquet'}' (format parquet)"
    )
    extract_source(settings, "files")
    rows = landed_rows(settings, "files__payments", "payment_key, invoice_key, amount::double, currency")
    assert [row[:2] for row in rows] == [("p1", "17"), ("p2", None), ("p3", "100"), ("p4", "-20000"), ("p5", "0")]
    assert {row[2:] for row in rows} == {(10.5, "17.0")}  # what is a text at its source stays as it is


def test_texts_that_parquet_does_not_mark_as_texts_are_texts(settings, folder, landed_rows):
    (folder / "clients.csv").unlink()
    target = folder / "clients.parquet"
    rows = (
        "select 'c1' as client_key, encode('Ромашка') as name, date '2024-01-01' as registered_at, "
        "'\\xFF'::blob as logo"
    )
    duckdb.execute(f"copy ({rows}) to '{target}' (format parquet)")
    extract_source(settings, "files")
    assert landed_rows(settings, "files__clients", "name") == [("Ромашка",)]
    duckdb.execute(f"copy (select * replace ('Anna \\xFF'::blob as name) from ({rows})) to '{target}' (format parquet)")
    with pytest.raises(SourceError, match="entity clients: a text is not UTF-8") as error:
        extract_source(settings, "files")
    assert "Anna" not in str(error.value)


def test_a_changed_file_lands_whole_an_unchanged_one_not_at_all(settings, folder):
    extract_source(settings, "files")
    assert _landed(extract_source(settings, "files"), "clients") == (0, 0)
    (folder / "clients.csv").write_text(CLIENTS + "c3,Three,2024-01-03\n")
    assert _landed(extract_source(settings, "files"), "clients") == (3, 0)
    assert [(load.rows, load.is_full) for load in landing.loads(settings, "files", "clients")] == [(2, True), (3, True)]
    assert len(landing.loads(settings, "files", "contracts")) == 1


def test_a_row_taken_out_of_the_file_is_deleted_and_may_come_back(settings, folder, landed_rows):
    extract_source(settings, "files")
    (folder / "clients.csv").write_text(CLIENTS.replace("c1,One,2024-01-01\n", ""))
    assert _landed(extract_source(settings, "files"), "clients") == (1, 1)
    assert {row[0] for row in landed_rows(settings, "files__clients", "client_key")} == {"c2"}
    (folder / "clients.csv").write_text(CLIENTS)
    assert _landed(extract_source(settings, "files"), "clients") == (2, 0)
    assert {row[0] for row in landed_rows(settings, "files__clients", "client_key")} == {"c1", "c2"}


def test_a_row_without_a_key_that_is_repaired_does_not_stay_broken(settings, folder, landed_rows):
    (folder / "clients.csv").write_text(CLIENTS + ",Nobody,2024-01-03\n")
    extract_source(settings, "files")
    (folder / "clients.csv").write_text(CLIENTS + "c3,Nobody,2024-01-03\n")
    extract_source(settings, "files")
    assert {row[0] for row in landed_rows(settings, "files__clients", "client_key")} == {"c1", "c2", "c3"}


def test_a_file_that_was_taken_away_is_deleted_with_a_warning(settings, folder, landed_rows, caplog):
    (folder / "refunds.csv").write_text("refund_key,client_key,requested_at,amount\nr1,c1,2024-01-05,10\n")
    extract_source(settings, "files")
    (folder / "refunds.csv").unlink()
    with caplog.at_level(logging.WARNING):
        assert _landed(extract_source(settings, "files"), "refunds") == (0, 1)
    assert "the file of refunds is gone" in caplog.text
    assert landed_rows(settings, "files__refunds") == []
    assert _landed(reconcile_source(settings, "files"), "refunds") == (0, 0)
    assert str(landing.complete_until(settings, "files")) == "2026-01-01"


def test_tombstones_that_a_killed_run_did_not_reach_are_made_by_the_next(settings, folder, landed_rows, monkeypatch):
    extract_source(settings, "files")
    (folder / "clients.csv").write_text(CLIENTS.replace("c1,One,2024-01-01\n", ""))

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(landing_writer, "write_tombstones", killed)
        with pytest.raises(KeyboardInterrupt):
            extract_source(settings, "files")
    assert _landed(extract_source(settings, "files"), "clients") == (0, 1)
    assert {row[0] for row in landed_rows(settings, "files__clients", "client_key")} == {"c2"}


def test_extra_columns_and_unknown_files_are_ignored_with_a_notice(settings, folder, landed_rows, caplog):
    (folder / "clients.csv").write_text("client_key,phone,name,,registered_at,phone\nc1,+7900,One,x,2024-01-01,+7901\n")
    (folder / "client.csv").write_text("a\n1\n")
    with caplog.at_level(logging.INFO):
        extract_source(settings, "files")
    assert "entity clients: extra columns ignored: phone" in caplog.text
    assert "client.csv was ignored: it is not named <entity>.csv" in caplog.text
    part = landing.folders(settings, "files", "clients", "rows")[0].part
    assert b"7900" not in part.read_bytes()
    assert landed_rows(settings, "files__clients", "name, registered_at") == [("One", "2024-01-01")]


def test_an_entity_of_only_a_header_is_there_and_empty(settings, folder, landed_rows):
    (folder / "refunds.csv").write_text("refund_key,client_key,requested_at,amount\n")
    extract_source(settings, "files")
    assert landed_rows(settings, "files__refunds") == []
    assert len(landing.loads(settings, "files", "refunds")) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("clients.csv", b"client_key,name\nc1,One\n", "clients.csv: entity clients: the required column registered_at"),
        (
            "clients.csv",
            CLIENTS.replace("registered_at", "Registered_At").encode(),
            "write registered_at for Registered_At",
        ),
        ("clients.csv", "c1,Имя,2024-01-01\n".encode(), "its first line names none of the columns client_key, name"),
        (
            "clients.csv",
            CLIENTS.encode() + b'c3,"Three,2024-01-01\n',
            "a quoted value that begins in row 4 is not closed",
        ),
        ("clients.csv", b"client_key\tname\tregistered_at\n", "are its values separated by commas or semicolons"),
        ("clients.csv", b"", "clients.csv: the file is empty; its first line must be a header"),
        ("clients.csv", b"client_key,client_key,name,registered_at\n", "the column client_key is there twice"),
        ("clients.csv", CLIENTS.encode() + b"c3,Three\n", "row 4 has 2 values where the header has 3"),
        ("clients.csv", CLIENTS.encode() + b"c3,Three,2024-01-01,more\n", "row 4 has 4 values where the header has 3"),
        ("clients.csv", CLIENTS.encode() + "c3,Имя,2024-01-01\n".encode("cp1251"), "not UTF-8"),
        (
            "clients.csv",
            CLIENTS.encode() + b'c3,"Three,2024-01-01\n' + b"c4,Four,2024-01-01\n" * 20_000,
            "is not closed",
        ),
        ("clients.csv", "client_key,имя,registered_at\n".encode("cp1251"), "not UTF-8"),
        ("clients.parquet", b"", "both clients.csv and clients.parquet are there"),
        ("contracts.parquet", b"no parquet", "both contracts.csv and contracts.parquet"),
        ("refunds.parquet", b"no parquet", "this is not a readable Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_right_stops_before_anything_lands_from_it(settings, folder, name, content, message):
    (folder / name).write_bytes(content)
    with pytest.raises(SourceError) as error:
        extract_source(settings, "files")
    assert message in str(error.value)
    assert "Имя" not in str(error.value) and "Three" not in str(error.value)
    assert landing.loads(settings, "files", "clients") == []


def test_what_a_spreadsheet_leaves_around_the_rows_is_no_row(settings, folder, landed_rows):
    (folder / "clients.csv").write_text(
        '\n"# client_key; how it is told apart"\n#\n\nclient_key;name;registered_at;note\n'
        "c1;One;2024-01-01;\n\n;;;\nc2;Two;2024-01-02;x\n;;;y\n",
        encoding="utf-8-sig",
    )
    extract_source(settings, "files")
    keys = [("c1",), ("c2",), (None,)]  # what has anything in it is a row, and a broken one
    assert landed_rows(settings, "files__clients", "client_key") == keys


@pytest.mark.parametrize("ends", ["\n\n\r\n", "\n\r\n\r\n", "\r\n\n\n", "\r\n\r\n\n", "\n\r\n\n"])
def test_rows_below_a_header_with_other_line_ends_are_rows(settings, folder, landed_rows, ends):
    above, below_header, below_row = ends.splitlines(keepends=True)
    rows = ["c1,One,2024-01-01,,", 'c2,"two\nlines",2024-01-02', 'c3,"three\r\nlines",2024-01-03', ",", ",,,,,"]
    text = f"# a comment{above}client_key,name,registered_at{below_header}" + "".join(row + below_row for row in rows)
    (folder / "clients.csv").write_bytes(text.encode("utf-8-sig"))
    extract_source(settings, "files")
    names = [("c1", "One"), ("c2", "two\nlines"), ("c3", "three\r\nlines")]
    assert landed_rows(settings, "files__clients", "client_key, name") == names


def test_an_uneven_row_of_a_file_with_two_kinds_of_line_ends_is_named(settings, folder):
    (folder / "clients.csv").write_bytes(CLIENTS.encode() + b"c3,Three\r\n")
    with pytest.raises(SourceError, match="row 4 has 2 values where the header has 3"):
        extract_source(settings, "files")


@pytest.mark.parametrize("separators", [",", ",,,,", '"",'])
def test_separators_alone_are_no_row_however_many_they_are(settings, folder, landed_rows, separators):
    (folder / "clients.csv").write_text(CLIENTS.replace("c2,", f'{separators}\nc2,"2\n,\n",').replace("Two,", ""))
    extract_source(settings, "files")
    assert landed_rows(settings, "files__clients", "client_key, name") == [("c1", "One"), ("c2", "2\n,\n")]


def test_clients_and_one_of_contracts_and_prepaid_events_must_be_there(settings, folder):
    (folder / "contracts.csv").unlink()
    with pytest.raises(SourceError, match="neither contracts nor prepaid_events is there"):
        extract_source(settings, "files")
    (folder / "prepaid_events.csv").write_text("event_key,client_key,kind,amount,occurred_at\n")
    extract_source(settings, "files")
    (folder / "clients.csv").unlink()
    with pytest.raises(SourceError, match="the entity clients is missing"):
        extract_source(settings, "files")


def test_a_folder_that_is_not_there_is_named(settings_for, tmp_path):
    with pytest.raises(SourceError, match="Give --files DIR or set RETENTION_FILES_DIR"):
        extract_source(settings_for(sources=["files"]), "files")
    with pytest.raises(SourceError, match="nowhere is not a folder"):
        extract_source(settings_for(sources=["files"], files_dir=tmp_path / "nowhere"), "files")


def test_every_entity_of_the_contract_has_a_file():
    assert [entity.name for entity in ENTITIES] == list(CANONICAL)
    assert len(CANONICAL) == 21
    assert all(entity.key and set(entity.key) <= set(entity.columns) for entity in CANONICAL.values())
    assert {name: entity.columns for name, entity in CANONICAL.items()} == {
        name: (*columns, "updated_at") for name, columns in COLUMNS.items()
    }
    assert CANONICAL["employees"].required == ("employee_key", "full_name", "department", "is_head")
