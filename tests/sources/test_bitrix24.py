"""Harm: a page that is skipped, a part of a batch that failed unnoticed or a limit that ends the run would each leave
clients out; a webhook's code in a log opens the CRM to whoever reads it."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from demo.systems.bitrix24 import methods
from demo.systems.bitrix24.methods import ENTITY_TYPES
from retention import landing
from retention.extract import extract_source, reconcile_source
from retention.sources import SourceError, bitrix24, bitrix24_portal
from tests.sources import portal as portals


@pytest.fixture
def portal(tmp_path) -> Iterator[portals.Portal]:
    with portals.running(tmp_path) as portal:
        yield portal


@pytest.fixture
def settings(portal, settings_for):
    return settings_for(sources=["bitrix24"], bitrix24_url=portal.url)


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """Do not wait, but remember for how long one would have."""
    waited: list[float] = []
    monkeypatch.setattr(bitrix24_portal, "sleep", waited.append)
    return waited


def _company(number: int, updated: str = "2025-01-01T12:00:00+03:00", **more) -> dict:
    return {"id": number, "title": f"Company {number}", "updatedTime": updated, **more}


def _landed(results, entity="companies"):
    (result,) = [result for result in results if result.entity == entity]
    return result.rows, result.deleted


@pytest.mark.parametrize("count", [0, 1, 50, 51, 2550, 2551])
def test_every_item_is_read_once_whatever_the_number_of_pages(portal, settings, landed_rows, count):
    portal.put("companies", *(_company(number) for number in range(1, count + 1)))
    assert _landed(extract_source(settings, "bitrix24")) == (count, 0)
    rows = landed_rows(settings, "bitrix24__companies", "id")
    assert sorted(int(row[0]) for row in rows) == list(range(1, count + 1))


def test_lists_are_read_in_fast_paging_with_only_the_columns_that_are_needed(portal, settings):
    portal.put("companies", _company(1, email="a@b.c"))
    extract_source(settings, "bitrix24")
    listed = [parameters for method, parameters in portal.requests if method in ("crm.item.list", "crm.activity.list")]
    assert listed and all(parameters["start"] == -1 for parameters in listed)
    asked = {name for parameters in listed for name in parameters["select"]}
    assert not asked & {"EMAIL", "PHONE", "email", "phone", "SUBJECT", "DESCRIPTION", "COMMUNICATIONS", "*"}


def test_addresses_and_phones_that_come_unasked_do_not_land(portal, settings, home, monkeypatch):
    monkeypatch.setattr(methods, "_selected", lambda page, _: page)  # older portals know no selection of users' fields
    portal.put(
        "users", {"ID": "1", "XML_ID": "login", "EMAIL": "someone@example.org", "PERSONAL_MOBILE": "+79001234567"}
    )
    extract_source(settings, "bitrix24")
    for path in (home / "landing").rglob("*"):
        if path.is_file():
            assert b"someone@example" not in path.read_bytes()
            assert b"79001234567" not in path.read_bytes()


def test_values_land_as_the_interface_writes_them(portal, settings, landed_rows):
    deal = {"id": 7, "companyId": 0, "opportunity": 1234.5, "closedate": "", "updatedTime": "2025-01-01T12:00:00+03:00"}
    portal.put("deals", deal)
    portal.put("users", {"ID": "1", "UF_DEPARTMENT": [3, 4], "XML_ID": None, "NAME": "Имя", "TIMESTAMP_X": {}})
    portal.put("users", {"ID": "2", "UF_DEPARTMENT": [], "XML_ID": "b"})
    extract_source(settings, "bitrix24")
    assert landed_rows(settings, "bitrix24__deals", "id, companyId, opportunity, closedate") == [
        ("7", "0", "1234.5", None)
    ]
    assert landed_rows(settings, "bitrix24__users", "UF_DEPARTMENT, XML_ID, NAME, TIMESTAMP_X") == [
        ("[3, 4]", None, "Имя", None),
        (None, "b", None, None),
    ]


def test_only_what_changed_since_the_last_time_is_asked_for_and_landed(portal, settings):
    portal.put("companies", _company(1), _company(2, "2025-01-02T12:00:00+03:00"))
    extract_source(settings, "bitrix24")
    portal.requests.clear()
    portal.put("companies", _company(3, "2025-01-03T12:00:00+03:00"))
    assert _landed(extract_source(settings, "bitrix24")) == (1, 0)
    (asked,) = [
        parameters["filter"]
        for method, parameters in portal.requests
        if method == "crm.item.list" and parameters["entityTypeId"] == 4
    ]
    assert asked == {">=updatedTime": "2025-01-02T08:00:00+00:00"}


def test_items_deleted_or_missed_are_found_by_reconciliation(portal, settings, landed_rows):
    portal.put("companies", _company(1), _company(2, "2025-01-02T12:00:00+03:00"))
    extract_source(settings, "bitrix24")
    portal.delete("companies", 1)
    portal.put("companies", _company(3, "2024-06-01T12:00:00+03:00"))
    assert _landed(extract_source(settings, "bitrix24")) == (0, 0)
    assert _landed(reconcile_source(settings, "bitrix24")) == (1, 1)
    assert landed_rows(settings, "bitrix24__companies", "id") == [("2",), ("3",)]


def test_a_user_who_was_removed_disappears_with_the_next_extraction(portal, settings, landed_rows):
    portal.put("users", {"ID": "1", "XML_ID": "a"}, {"ID": "2", "XML_ID": "b"})
    extract_source(settings, "bitrix24")
    portal.delete("users", 2)
    assert _landed(extract_source(settings, "bitrix24"), "users") == (0, 1)
    assert landed_rows(settings, "bitrix24__users", "ID") == [("1",)]


@pytest.mark.parametrize(
    ("status", "code"), [(503, "QUERY_LIMIT_EXCEEDED"), (429, "OPERATION_TIME_LIMIT"), (429, "OVERLOAD_LIMIT")]
)
def test_being_told_to_slow_down_is_obeyed_with_growing_waits(portal, settings, waits, status, code):
    portal.put("companies", _company(1))
    portal.trouble("crm.item.list", status=status, error=code, times=4)
    assert _landed(extract_source(settings, "bitrix24")) == (1, 0)
    assert waits == [0.5, 1, 2, 4]


def test_a_portal_that_never_stops_refusing_ends_the_run_after_all_waits(portal, settings, waits):
    portal.trouble("crm.item.list", status=503, error="QUERY_LIMIT_EXCEEDED", times=100)
    with pytest.raises(SourceError, match=r"bitrix24\.companies"):
        extract_source(settings, "bitrix24")
    assert sum(waits) > 600


@pytest.mark.parametrize("code", ["QUERY_LIMIT_EXCEEDED", "OVERLOAD_LIMIT", "INTERNAL_SERVER_ERROR"])
def test_a_part_of_a_batch_that_fails_for_now_is_asked_for_again(portal, settings, waits, code):
    portal.put("companies", *(_company(number) for number in range(1, 121)))
    portal.trouble("crm.item.list", status=503, error=code, after=1)  # the batch's first command
    assert _landed(extract_source(settings, "bitrix24")) == (120, 0)
    assert waits == [0.5]


def test_a_part_of_a_batch_that_fails_for_another_reason_stops_the_load(portal, settings):
    portal.put("companies", *(_company(number) for number in range(1, 121)))
    portal.trouble("crm.item.list", status=403, error="ACCESS_DENIED", after=1)
    with pytest.raises(SourceError, match="ACCESS_DENIED as told"):
        extract_source(settings, "bitrix24")
    assert landing.loads(settings, "bitrix24", "companies") == []


@pytest.mark.parametrize(("status", "long"), [(429, True), (503, True), (502, False), (504, False), (200, False)])
def test_a_page_of_a_gateway_is_waited_out(portal, settings, waits, status, long):
    portal.put("companies", _company(1))
    portal.trouble("crm.item.list", kind="page", status=status, times=3)
    assert _landed(extract_source(settings, "bitrix24")) == (1, 0)
    assert waits == [0.5, 1, 2]
    portal.trouble("crm.item.list", kind="page", status=status, times=100)
    with pytest.raises(SourceError, match=rf"companies .*: {status} and a page that is no answer"):
        extract_source(settings, "bitrix24")
    assert (sum(waits) > 600) == long


def test_departments_are_read_page_by_page_as_their_method_compares_for_equality_only(portal, settings, landed_rows):
    portal.put("departments", *({"ID": str(number), "NAME": f"D{number}"} for number in range(1, 121)))
    extract_source(settings, "bitrix24")
    rows = landed_rows(settings, "bitrix24__departments", "ID")
    assert sorted(int(row[0]) for row in rows) == list(range(1, 121))


def test_departments_that_change_between_two_pages_are_read_again(portal, settings, landed_rows):
    portal.put("departments", *({"ID": str(number), "NAME": f"D{number}"} for number in range(1, 121)))
    # One of the first page goes before the second is asked for: what was 51st is 50th then, and on neither page.
    kind = portals.KINDS["departments"]
    new = {"ID": "121", "NAME": "D121"}
    portal.trouble("department.get", kind="change", after=1, delete=[(kind, 3)], put=[(kind, 121, new)])
    extract_source(settings, "bitrix24")
    rows = landed_rows(settings, "bitrix24__departments", "ID")
    assert sorted(int(row[0]) for row in rows) == [1, 2, *range(4, 122)]
    # One goes before the second page of every reading: nothing lands.
    for reading in range(bitrix24.PAGED_ATTEMPTS):
        portal.trouble("department.get", kind="change", after=2 if reading else 1, delete=[(kind, 4 + reading)])
    before = landing.loads(settings, "bitrix24", "departments")
    with pytest.raises(SourceError, match=r"department.get gave something else each of the 5 times"):
        extract_source(settings, "bitrix24")
    assert landing.loads(settings, "bitrix24", "departments") == before


@pytest.mark.parametrize(("status", "code"), [(401, "expired_token"), (401, "NO_AUTH_FOUND"), (403, "ACCESS_DENIED")])
def test_a_refused_webhook_says_what_to_check_without_showing_its_code(portal, settings, status, code):
    portal.trouble("*", status=status, error=code, times=10)
    with pytest.raises(SourceError) as error:
        extract_source(settings, "bitrix24")
    assert "the portal refuses the webhook" in str(error.value)
    assert portals.CODE not in str(error.value)
    assert error.value.__cause__ is None


def test_a_portal_that_does_not_answer_is_said_so_without_the_webhooks_code(settings, waits):
    wrong = settings.model_copy(update={"bitrix24_url": SecretStr(f"http://127.0.0.1:1/rest/1/{portals.CODE}/")})
    with pytest.raises(SourceError) as error:
        extract_source(wrong, "bitrix24")
    assert "the portal does not answer" in str(error.value)
    assert portals.CODE not in str(error.value)
    assert waits == [0.5, 1, 2, 4]


def test_a_user_field_that_was_removed_is_named(portal, settings, monkeypatch):
    monkeypatch.delitem(ENTITY_TYPES[bitrix24.COMPANY]["user_fields"], "UF_CRM_SEGMENT")
    told = r"bitrix24\.yml:\d+: companies\.fields\.segment: the portal has no field UF_CRM_SEGMENT"
    with pytest.raises(SourceError, match=told):
        extract_source(settings, "bitrix24")


@pytest.mark.parametrize("address", ["ftp://x/rest/1/code/", "https://x/", "https://x/rest/code/"])
def test_an_address_that_is_no_webhook_is_refused(settings, address):
    with pytest.raises(SourceError, match="must look like https://<portal>/rest/<user>/<code>/"):
        extract_source(settings.model_copy(update={"bitrix24_url": SecretStr(address)}), "bitrix24")
