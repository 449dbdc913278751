"""Harm: what is ordinary in a portal, a reminder, a guest, a stage of its own, taken for something else or refused."""

from pathlib import Path

import duckdb
import pytest
import yaml

from retention import build
from retention.extract import extract_source
from retention.settings import PROJECT_ROOT, load_settings
from tests.sources import portal as portals
from tests.sources.portal import user_field

STAMP = "2025-03-05T15:00:00+03:00"
DAY = "2025-03-05T03:00:00+03:00"
LATER = "2025-03-08T15:00:00+03:00"
COMPANY = {"id": 7, "title": "Client", "createdTime": STAMP, "updatedTime": STAMP}
DEAL = {"companyId": 7, "assignedById": 1, "opportunity": 10, "currencyId": "RUB", "categoryId": 0}
DEAL |= {"createdTime": STAMP, "updatedTime": STAMP, "stageId": "NEW", "stageSemanticId": "P", "closedate": DAY}
CALL = {"OWNER_TYPE_ID": "4", "OWNER_ID": "7", "TYPE_ID": "2", "PROVIDER_ID": "VOXIMPLANT_CALL", "DIRECTION": "2"}
CALL |= {"COMPLETED": "Y", "RESPONSIBLE_ID": "1", "ORIGIN_ID": "service", "START_TIME": STAMP, "LAST_UPDATED": STAMP}
OTHER = {"TYPE_ID": "6", "DIRECTION": "1"}
REQUESTS = """
  pipeline: 9
  fields: {requested_at: UF_CRM_ASKED, completed_at: UF_CRM_DONE}
  values: {outcome: {"C9:NEW": ~}}
"""

PEOPLE = (
    {"ID": "1", "XML_ID": "anna", "NAME": "Anna", "LAST_NAME": "A", "UF_DEPARTMENT": [3], "TIMESTAMP_X": {}},
    {"ID": "2", "XML_ID": "boris", "NAME": "Boris", "LAST_NAME": "B", "UF_DEPARTMENT": [3], "UF_USR_LEFT_ON": DAY},
    {"ID": "3", "XML_ID": "guest", "NAME": "Guest", "LAST_NAME": "G", "UF_DEPARTMENT": [], "USER_TYPE": "extranet"},
    {"ID": "4", "XML_ID": "bot", "NAME": "Bot", "LAST_NAME": "", "UF_DEPARTMENT": False},
)
ACTIVITIES = (
    CALL | {"ID": "1"},
    CALL | {"ID": "2", "ORIGIN_ID": "VI_externalCall.ab12.1741"},
    CALL | {"ID": "3", "ORIGIN_ID": "", "RESPONSIBLE_ID": "3"},  # held by a guest
    CALL | {"ID": "4", "COMPLETED": "N"},  # planned
    CALL | {"ID": "5", "COMPLETED": "N", "DIRECTION": "1"},  # it rang, and nobody has ticked it off
    CALL | {"ID": "6"} | OTHER | {"PROVIDER_ID": "IMOPENLINES_SESSION"},
    CALL | {"ID": "7"} | OTHER | {"PROVIDER_ID": "CRM_TODO"},
    CALL | {"ID": "8"} | OTHER | {"PROVIDER_ID": "CRM_WEBFORM"},
    CALL | {"ID": "9", "TYPE_ID": "3", "PROVIDER_ID": "TASKS"},
    CALL | {"ID": "10", "TYPE_ID": "1", "PROVIDER_ID": "CRM_MEETING", "DIRECTION": "0"},
    CALL | {"ID": "11"},  # opened again before the second load
)
DEALS = (
    DEAL | {"id": 1},
    DEAL | {"id": 2, "stageId": "WON", "stageSemanticId": "S"},  # on the day on which it was created
    DEAL | {"id": 3, "stageId": "C1:UC_LOST2", "stageSemanticId": "F", "closedate": "2025-03-07T03:00:00+03:00"},
    DEAL | {"id": 4, "stageId": "WON", "stageSemanticId": "S", "closedate": "2021-02-03T03:00:00+03:00"},  # imported
    DEAL | {"id": 5, "stageId": "C9:NEW", "categoryId": 9, "UF_CRM_ASKED": STAMP},
    DEAL | {"id": 6, "stageId": "WON", "stageSemanticId": "S"},  # moved to the pipeline of requests before the second
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The canonical layer over two loads of a portal."""
    folder: Path = tmp_path_factory.mktemp("portal")
    mapping = yaml.safe_load((PROJECT_ROOT / "sources" / "bitrix24.yml").read_text(encoding="utf-8"))
    mapping["termination_requests"] = yaml.safe_load(REQUESTS)
    (folder / "bitrix24.yml").write_text(yaml.safe_dump(mapping, allow_unicode=True), encoding="utf-8")
    with (
        portals.running(folder) as portal,
        user_field(2, "UF_CRM_ASKED", "datetime"),
        user_field(2, "UF_CRM_DONE", "datetime"),
    ):
        settings = load_settings(
            folder / "home", sources=["bitrix24"], sources_dir=folder, bitrix24_url=portal.url, as_of="2026-01-01"
        )
        portal.put("departments", {"ID": "3", "NAME": "Sales", "UF_HEAD": "1"})
        portal.put("users", *PEOPLE)
        portal.put("companies", COMPANY)
        portal.put("activities", *ACTIVITIES)
        portal.put("deals", *DEALS)
        extract_source(settings, "bitrix24")
        portal.put("activities", {"ID": "11", "COMPLETED": "N", "LAST_UPDATED": LATER})
        moved = {"stageId": "C9:NEW", "stageSemanticId": "P", "categoryId": 9, "UF_CRM_ASKED": STAMP}
        portal.put("deals", moved | {"id": 6, "updatedTime": LATER})
        extract_source(settings, "bitrix24")
    build.prepare(settings)
    build.run_dbt(settings, "check")
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set timezone = 'Europe/Moscow'")
        yield connection


def rows(built, columns: str, entity: str) -> list[tuple]:
    return built.execute(f"select {columns} from staging.stg_canonical__{entity} order by all").fetchall()


def test_nothing_of_it_is_thrown_out(built):
    for entity in ("clients", "employees", "contacts", "deals", "termination_requests"):
        assert built.execute(f"select * from quarantine.{entity}").fetchall() == [], entity


def test_people_without_a_department_are_no_employees_and_a_last_day_ends_one(built):
    found = rows(built, "employee_key, department, is_head, cast(active_to as varchar)", "employees")
    assert found == [("anna", "Sales", True, None), ("boris", "Sales", False, "2025-03-05")]


def test_contacts_are_what_was_said_or_written_and_nothing_else(built):
    found = rows(built, "cast(contact_key as integer) as number, channel, direction, purpose, employee_key", "contacts")
    assert found == [
        (1, "call", "outbound", "service", "anna"),
        (2, "call", "outbound", "other", "anna"),
        (3, "call", "outbound", "other", None),
        (5, "call", "inbound", "service", "anna"),
        (6, "chat", "inbound", "service", "anna"),
        (10, "meeting", "outbound", "service", "anna"),
    ]


def test_deals_end_as_the_portal_says_and_never_before_they_began(built):
    columns = (
        "deal_key, stage, strftime(created_at, '%m-%d %H') as created, strftime(closed_at, '%Y-%m-%d %H') as closed"
    )
    assert rows(built, columns, "deals") == [
        ("1", "open", "03-05 15", None),
        ("2", "won", "03-05 15", "2025-03-05 15"),
        ("3", "lost", "03-05 15", "2025-03-07 00"),
        ("4", "won", "02-03 00", "2021-02-03 00"),
    ]


def test_a_deal_that_was_moved_to_the_requests_is_one_and_no_sale_any_more(built):
    assert rows(built, "request_key", "termination_requests") == [("5",), ("6",)]
