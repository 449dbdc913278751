"""Harm: a row that was committed late, deleted or changed back would be missing from, or stay in, every number; a
column that vanished would turn into NULLs; a client's words would leave the system in which they were written."""

import pytest
from pydantic import SecretStr

from retention import landing
from retention.extract import extract_source, reconcile_source
from retention.sources import SourceError

CONTRACT = (
    "insert into contract values "
    "(%s, 'C1', 'basic', %s, 'RUB', 'monthly', '2024-01-01', null, null, false, %s::timestamptz)"
)


def _put(connection, number, price, modified_at):
    connection.execute("delete from contract where contract_no = %s", [number])
    connection.execute(CONTRACT, [number, price, modified_at])


def _landed(results, entity="contracts"):
    (result,) = [result for result in results if result.entity == entity]
    return result.rows, result.deleted


def test_only_what_changed_is_landed_again(billing, landed_rows):
    database, settings = billing
    _put(database, "k1", 10, "2025-01-01")
    _put(database, "k2", 10, "2025-01-02")
    assert _landed(extract_source(settings, "billing")) == (2, 0)
    loads = len(landing.loads(settings, "billing", "contracts"))
    assert _landed(extract_source(settings, "billing")) == (0, 0)
    assert len(landing.loads(settings, "billing", "contracts")) == loads
    _put(database, "k2", 12, "2025-01-03")
    assert _landed(extract_source(settings, "billing")) == (1, 0)
    assert landed_rows(settings, "billing__contracts", "contract_key, price::varchar") == [
        ("k1", "10.00"),
        ("k2", "10.00"),
        ("k2", "12.00"),
    ]


def test_a_row_stamped_before_the_cursor_but_committed_after_it_is_read_in_the_overlap(billing):
    database, settings = billing
    _put(database, "k1", 10, "2025-01-01 12:00")
    extract_source(settings, "billing")
    _put(database, "k2", 10, "2025-01-01 11:30")
    assert _landed(extract_source(settings, "billing")) == (1, 0)


def test_a_row_later_than_the_overlap_is_found_by_reconciliation(billing):
    database, settings = billing
    _put(database, "k1", 10, "2025-01-01 12:00")
    extract_source(settings, "billing")
    _put(database, "k2", 10, "2024-12-01")
    assert _landed(extract_source(settings, "billing")) == (0, 0)
    assert _landed(reconcile_source(settings, "billing")) == (1, 0)
    assert _landed(reconcile_source(settings, "billing")) == (0, 0)


def test_a_deleted_row_disappears_at_reconciliation_and_may_come_back(billing, landed_rows):
    database, settings = billing
    _put(database, "k1", 10, "2025-01-01")
    _put(database, "k2", 10, "2025-01-02")
    extract_source(settings, "billing")
    database.execute("delete from contract where contract_no = 'k1'")
    assert _landed(extract_source(settings, "billing")) == (0, 0)
    assert _landed(reconcile_source(settings, "billing")) == (0, 1)
    assert landed_rows(settings, "billing__contracts", "contract_key") == [("k2",)]
    assert _landed(reconcile_source(settings, "billing")) == (0, 0)

    _put(database, "k1", 10, "2025-01-01")
    assert _landed(reconcile_source(settings, "billing")) == (1, 0)
    assert landed_rows(settings, "billing__contracts", "contract_key") == [("k1",), ("k2",)]


def test_a_key_of_two_columns_is_deleted_as_a_pair(billing, landed_rows):
    database, settings = billing
    for number, line in (("S1", 1), ("S1", 2), ("S2", 1)):
        database.execute("insert into invoice_line values (%s, %s, 'fee', 5, '2025-01-01')", [number, line])
    extract_source(settings, "billing")
    database.execute("delete from invoice_line where invoice_no = 'S1' and line_no = 1")
    assert _landed(reconcile_source(settings, "billing"), "invoice_lines") == (0, 1)
    assert landed_rows(settings, "billing__invoice_lines", "invoice_key, line_no") == [("S1", 2), ("S2", 1)]


def test_a_change_that_is_undone_lands_three_times(billing, landed_rows):
    database, settings = billing
    for price, day in ((10, "2025-01-01"), (20, "2025-01-02"), (10, "2025-01-03")):
        _put(database, "k1", price, day)
        assert _landed(extract_source(settings, "billing")) == (1, 0)
    rows = landed_rows(settings, "billing__contracts", "_load_id, price::varchar")
    assert [price for _, price in rows] == ["10.00", "20.00", "10.00"]


def test_a_change_and_its_undoing_with_one_stamp_land_too(billing, landed_rows):
    database, settings = billing
    for price in (10, 20, 10):
        _put(database, "k1", price, "2025-01-01")
        assert _landed(extract_source(settings, "billing")) == (1, 0)


def test_a_row_stamped_in_the_future_does_not_hide_the_changes_of_today(billing, settings_for):
    database, settings = billing
    _put(database, "k1", 10, "2099-01-01")
    extract_source(settings, "billing")
    database.execute(
        "insert into contract select 'k2', customer_no, tariff, price, currency, period, valid_from, "
        "valid_to, close_reason, is_test, now() from contract"
    )
    assert _landed(extract_source(settings, "billing")) == (1, 0)


def test_a_table_that_is_suddenly_empty_is_not_taken_for_deleted(billing, landed_rows):
    database, settings = billing
    for number in range(101):
        _put(database, f"k{number}", 10, "2025-01-01")
    extract_source(settings, "billing")
    database.execute("delete from contract")
    with pytest.raises(SourceError, match="answers that it has no rows, and 101 have landed"):
        reconcile_source(settings, "billing")
    assert len(landed_rows(settings, "billing__contracts")) == 101


def test_a_dropped_column_stops_the_load_and_is_named_with_the_line_of_its_query(billing):
    database, settings = billing
    _put(database, "k1", 10, "2025-01-01")
    extract_source(settings, "billing")
    database.execute("alter table contract drop column tariff")
    for work in (extract_source, reconcile_source):
        with pytest.raises(
            SourceError, match=r'billing\.yml:\d+: entities\.contracts\.query: .*"?tariff"? does not exist'
        ):
            work(settings, "billing")


def test_a_retyped_column_stops_the_load(billing):
    database, settings = billing
    _put(database, "k1", 10, "2025-01-01")
    extract_source(settings, "billing")
    database.execute("alter table contract alter column price type numeric(18, 4)")
    with pytest.raises(
        SourceError,
        match=r"billing\.contracts: the column price was DECIMAL\(18,2\) and is now DECIMAL\(18,4\).*billing\.yml:\d+ ",
    ):
        extract_source(settings, "billing")


def test_a_column_that_no_query_names_is_of_no_consequence(billing):
    database, settings = billing
    _put(database, "k1", 10, "2025-01-01")
    extract_source(settings, "billing")
    database.execute("alter table contract add column salesman_phone text default '+7 900 000-00-00'")
    database.execute("update contract set price = 11, modified_at = '2025-01-02'")
    assert _landed(extract_source(settings, "billing")) == (1, 0)


def test_a_missing_table_is_named(billing):
    database, settings = billing
    database.execute("drop table refund")
    with pytest.raises(SourceError, match=r'entities\.refunds\.query: .*"refund" does not exist'):
        extract_source(settings, "billing")


def test_what_a_client_wrote_never_lands(billing, home):
    database, settings = billing
    database.execute(
        "insert into cabinet_feedback values "
        "(1, 'C1', 'review', 2, true, null, 'login', 'a secret opinion', '2025-01-01', null, null, '2025-01-01')"
    )
    extract_source(settings, "billing")
    reconcile_source(settings, "billing")
    part = landing.folders(settings, "billing", "feedback", "rows")[0].part
    assert b"secret opinion" not in part.read_bytes()
    assert "body" not in {
        column["name"] for load in landing.loads(settings, "billing", "feedback") for column in load.manifest["schema"]
    }


def test_errors_of_the_connection_hold_no_password(billing):
    _, settings = billing
    port = settings.url("billing").get_secret_value().rsplit(":", 1)[1].split("/")[0]
    for address in (
        f"postgresql://somebody:s3cr%40t@127.0.0.1:{port}/postgres",
        "postgresql://u:s3cr%40t@127.0.0.1:1/db",
    ):
        wrong = settings.model_copy(update={"urls": {"billing": SecretStr(address)}})
        with pytest.raises(SourceError) as error:
            extract_source(wrong, "billing")
        assert "does not answer" in str(error.value)
        assert "s3cr" not in str(error.value)
        assert error.value.__cause__ is None


def test_a_source_that_is_not_configured_says_what_to_set(settings_for):
    with pytest.raises(SourceError, match="RETENTION_BILLING_URL=postgresql://"):
        extract_source(settings_for(sources=["billing"]), "billing")


def test_a_day_that_passed_without_changes_moves_the_day_up_to_which_data_is_complete(billing, settings_for):
    database, settings = billing
    _put(database, "k1", 10, "2025-01-01")
    extract_source(settings, "billing")
    assert str(landing.complete_until(settings, "billing")) == "2026-01-01"
    later = settings.model_copy(update={"as_of": settings.as_of.replace(day=2)})
    assert _landed(extract_source(later, "billing")) == (0, 0)
    assert str(landing.complete_until(later, "billing")) == "2026-01-02"
    loads = landing.loads(later, "billing", "contracts")
    assert [load.rows for load in loads] == [1, 0]
    assert [load.is_full for load in loads] == [True, False]


def test_the_extension_is_read_from_its_wheel_and_copied_into_nobodys_home(billing, home, monkeypatch, tmp_path):
    _, settings = billing
    own = tmp_path / "user"
    own.mkdir()
    monkeypatch.setenv("HOME", str(own))
    extract_source(settings, "billing")
    assert list(own.iterdir()) == []
    assert not list(home.rglob("*.duckdb_extension"))
