"""Harm: a portal whose numbers and names are others than the demo's could only be read by changing the program; and a
mistake in its mapping would show as empty charts."""

import re
from pathlib import Path

import duckdb
import pytest
import yaml

from retention.extract import extract_source
from retention.settings import PROJECT_ROOT
from retention.sources import SourceError, dbt_vars, entities
from retention.sources.bitrix24 import DEAL
from tests.sources import portal as portals
from tests.sources.staging import stage

DELIVERED = (PROJECT_ROOT / "sources" / "bitrix24.yml").read_text(encoding="utf-8")
MOMENT = "2025-01-01T12:00:00+03:00"


@pytest.fixture
def mapped(settings_for, tmp_path: Path):
    """Settings with a mapping file of one's own."""

    def make(content: str, url: str = "http://127.0.0.1:1/rest/1/code/"):
        folder = tmp_path / "sources"
        folder.mkdir(exist_ok=True)
        (folder / "bitrix24.yml").write_text(content, encoding="utf-8")
        return settings_for(sources=["bitrix24"], sources_dir=folder, bitrix24_url=url)

    return make


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("dismissals:", "dismisals:", "dismisals: there is no such setting; is it misspelt?"),
        ("entity_type: 1032", "entity_type: many", "dismissals.entity_type: it must be a whole number"),
        ("  entity_type: 1032\n", "", "dismissals: say either entity_type (of a smart process) or pipeline (of deals)"),
        ("entity_type: 1032", "entity_type: 1032\n  pipeline: 4", "dismissals: say either entity_type"),
        (
            "entity_type: 1032",
            "entity_type: 1030",
            "dismissals.entity_type: 1030 is what termination_requests names already",
        ),
        ("    reason: UF_CRM_2_REASON\n", "", "dismissals.fields: the field reason is needed"),
        ("    reason: UF_CRM_2_REASON", "    reasons: UF_CRM_2_REASON", "there is no such field of dismissals. Known"),
        ("42: abuse", "42: abused", "dismissals.values.reason.42: abused is none of illegal_use, abuse"),
        ("channel: {51: call", "chanel: {51: call", "exit_interviews.values.chanel: chanel has no codes"),
        ("# timezone: Europe/Moscow", "timezone: Moscow", "timezone: 'Moscow' is not an IANA time zone"),
    ],
)
def test_a_mistake_is_told_with_its_line_before_the_portal_is_asked(mapped, before, after, told):
    assert before in DELIVERED
    with pytest.raises(SourceError) as error:
        entities(mapped(DELIVERED.replace(before, after, 1)), "bitrix24")
    assert told in str(error.value)
    line = int(re.search(r"bitrix24\.yml:(\d+): ", str(error.value)).group(1))
    assert abs(line - DELIVERED[: DELIVERED.index(before)].count("\n")) <= 3


def test_a_portal_with_other_numbers_names_and_a_pipeline_for_requests_is_read_by_its_mapping(
    mapped, landed_rows, tmp_path
):
    content = yaml.safe_load(DELIVERED)
    content["termination_requests"] = {
        "pipeline": 7,
        "fields": {"requested_at": "UF_CRM_ASKED"},
        "values": {"outcome": {"C7:WON": "retained", "C7:LOSE": "released", "C7:NEW": None}},
    }
    del content["mailings"]
    with portals.running(tmp_path) as portal, portals.user_field(DEAL, "UF_CRM_ASKED", "datetime"):
        deal = {"companyId": 7, "assignedById": 1, "createdTime": MOMENT, "updatedTime": MOMENT}
        asked = {"stageId": "C7:LOSE", "categoryId": 7, "UF_CRM_ASKED": MOMENT}
        portal.put("deals", deal | {"id": 1, "stageId": "WON", "categoryId": 0}, deal | {"id": 2} | asked)
        settings = mapped(yaml.safe_dump(content), portal.url)
        results = {landed.entity: landed.rows for landed in extract_source(settings, "bitrix24")}
        asked = {parameters.get("entityTypeId") for _, parameters in portal.requests}
    assert results["mailings"] == 0
    assert 1040 not in asked and 1030 not in asked
    columns = "id, stageId, requested_at, completed_at"
    assert landed_rows(settings, "bitrix24__termination_requests", columns) == [("2", "C7:LOSE", MOMENT, None)]
    assert landed_rows(settings, "bitrix24__deals", "id, categoryId") == [("1", "0"), ("2", "7")]
    given = dbt_vars(settings)["bitrix24"]
    assert given["pipelines"] == [7]
    outcomes = {"C7:WON": "retained", "C7:LOSE": "released", "C7:NEW": None}
    assert given["values"]["termination_requests"]["outcome"] == outcomes
    assert "mailings" not in given["values"]


def test_without_a_field_for_it_a_request_is_completed_when_it_came_to_its_outcome(mapped, tmp_path):
    content = yaml.safe_load(DELIVERED)
    content["deals"] = {"closed_at": "stage_history"}
    content["timezone"] = "Asia/Yekaterinburg"
    content["termination_requests"] = {
        "pipeline": 7,
        "fields": {"requested_at": "UF_CRM_ASKED"},
        "values": {"outcome": {"C7:WON": "retained", "C7:LOSE": "released", "C7:NEW": None, "C7:client's": "released"}},
    }
    with portals.running(tmp_path) as portal, portals.user_field(DEAL, "UF_CRM_ASKED", "datetime"):
        closed = {"id": 7, "title": "One", "createdTime": MOMENT, "updatedTime": MOMENT}
        portal.put("companies", closed | {"UF_CRM_CLOSED_ON": "24.08.2023 00:00:00"})
        deal = {"companyId": 7, "createdTime": "24.08.2023 13:19:39", "updatedTime": MOMENT, "closedate": "2025-01-05"}
        deal |= {"opportunity": 10, "UF_CRM_ASKED": "2025-01-01T10:00:00+03:00"}
        portal.put(
            "deals",
            deal | {"id": 1, "stageId": "WON", "stageSemanticId": "S", "categoryId": 0},
            deal | {"id": 2, "stageId": "C7:LOSE", "categoryId": 7},
            deal | {"id": 3, "stageId": "C7:NEW", "categoryId": 7},
        )
        steps = [(1, "NEW", "01"), (1, "WON", "03"), (2, "C7:NEW", "01"), (2, "C7:LOSE", "02"), (2, "C7:NEW", "03")]
        steps += [(2, "C7:LOSE", "04"), (3, "C7:NEW", "01")]
        for number, (owner, name, day) in enumerate(steps, start=1):
            step = {"ID": number, "OWNER_ID": owner, "STAGE_ID": name, "CREATED_TIME": f"2025-01-{day}T12:00:00+03:00"}
            portal.put("deal_stages", step)
        settings = mapped(yaml.safe_dump(content), portal.url)
        extract_source(settings, "bitrix24")
    with duckdb.connect(str(stage(settings, ["bitrix24"])), read_only=True) as connection:
        requests = (
            "select request_key, outcome, completed_at from staging.stg_bitrix24__termination_requests order by 1"
        )
        assert connection.execute(requests).fetchall() == [
            ("2", "released", "2025-01-04T12:00:00+03:00"),
            ("3", None, None),
        ]
        closed = connection.execute("select closed_at from staging.stg_bitrix24__clients").fetchall()
        assert closed == [("2023-08-24",)]  # a day is the day that is written, in any zone
        # The portal's own zone, two hours ahead of the company's, where it writes none.
        deals = (
            "select deal_key, closed_at, cast(created_at as timestamptz) = timestamptz '2023-08-24 08:19:39+00' "
            "from staging.stg_bitrix24__deals"
        )
        assert connection.execute(deals).fetchall() == [("1", "2025-01-03T12:00:00+03:00", True)]


def test_another_name_of_a_field_reads_the_entity_anew_and_only_that(mapped, landed_rows, tmp_path):
    with portals.running(tmp_path) as portal, portals.user_field(1040, "UF_CRM_SENT", "date"):
        item = {"companyId": 7, "updatedTime": MOMENT, "UF_CRM_6_SENT_AT": MOMENT, "UF_CRM_SENT": "2024-05-06"}
        portal.put("mailings", item | {"id": 1})
        portal.put("companies", {"id": 7, "title": "One", "updatedTime": MOMENT, "createdTime": MOMENT})
        extract_source(mapped(DELIVERED, portal.url), "bitrix24")
        # Long ago by its stamp: an ordinary load would not ask for it.
        portal.put("mailings", {"id": 1, "updatedTime": "2020-01-01T12:00:00+03:00"})
        changed = mapped(DELIVERED.replace("UF_CRM_6_SENT_AT", "UF_CRM_SENT"), portal.url)
        results = {landed.entity: landed.rows for landed in extract_source(changed, "bitrix24")}
    assert {entity for entity, rows in results.items() if rows} == {"mailings"}
    assert ("2024-05-06",) in landed_rows(changed, "bitrix24__mailings", "sent_at")


def test_a_part_that_is_left_out_later_is_empty_from_then_on(mapped, landed_rows, tmp_path):
    content = yaml.safe_load(DELIVERED)
    with portals.running(tmp_path) as portal:
        sent = {"companyId": 7, "updatedTime": MOMENT, "UF_CRM_6_SENT_AT": MOMENT}
        portal.put("mailings", *({"id": number} | sent for number in range(1, 121)))
        extract_source(mapped(DELIVERED, portal.url), "bitrix24")
        del content["mailings"]
        settings = mapped(yaml.safe_dump(content), portal.url)
        results = {landed.entity: landed.deleted for landed in extract_source(settings, "bitrix24")}
    assert results["mailings"] == 120
    assert landed_rows(settings, "bitrix24__mailings") == []


def test_a_missing_file_says_where_it_should_be(settings_for, tmp_path):
    with pytest.raises(SourceError, match=r"its mapping file .*bitrix24\.yml is missing"):
        entities(settings_for(sources=["bitrix24"], sources_dir=tmp_path), "bitrix24")
