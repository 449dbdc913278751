"""Harm: a portal is asked for ten thousand rows while people work in it, its limits bite and its line is cut; a row
that is skipped, doubled or stale after that is nobody's fault and in every number.

The connector reads the demo company's portal, which is told to misbehave in each of these ways.
"""

from typing import Any

import duckdb
import pytest

from retention.extract import extract_source, reconcile_source
from retention.settings import PROJECT_ROOT, load_settings
from retention.sources import SourceError, entities
from tests.sources import portal as portals
from tests.sources.histories import present
from tests.sources.staging import stage

STAMP = "2025-06-01T12:00:00+03:00"
COMPANY = portals.KINDS["companies"]


@pytest.fixture
def portal(tmp_path):
    """A portal of 130 companies, three pages."""
    with portals.running(tmp_path) as portal:
        portal.put("companies", *(company(number) for number in range(1, 131)))
        yield portal


def company(number: int, segment: str = "retail", stamp: str = STAMP) -> dict[str, Any]:
    body = {"id": number, "title": f"Client {number}", "createdTime": STAMP, "updatedTime": stamp}
    return body | {"UF_CRM_SEGMENT": segment}


@pytest.fixture
def settings(portal, tmp_path):
    return load_settings(tmp_path / "home", sources=["bitrix24"], bitrix24_url=portal.url, as_of="2026-01-01")


def segments(settings) -> dict[int, str]:
    (companies,) = [entity for entity in entities(settings, "bitrix24") if entity.name == "companies"]
    return {int(number): segment for number, segment in present(settings, companies, "id, segment")}


def test_a_record_that_is_deleted_between_pages_takes_no_other_with_it(portal, settings):
    portal.trouble("batch", kind="change", delete=[[COMPANY, 20], [COMPANY, 60]])
    extract_source(settings, "bitrix24")
    assert set(range(1, 131)) - set(segments(settings)) <= {20, 60}
    reconcile_source(settings, "bitrix24")
    assert set(segments(settings)) == set(range(1, 131)) - {20, 60}


def test_a_record_that_is_changed_while_paging_is_right_after_the_next_load(portal, settings):
    changed = {"UF_CRM_SEGMENT": "finance", "updatedTime": "2025-06-01T12:30:00+03:00"}
    portal.trouble("batch", kind="change", put=[[COMPANY, 3, changed], [COMPANY, 120, changed]])
    extract_source(settings, "bitrix24")
    extract_source(settings, "bitrix24")
    found = segments(settings)
    assert (found[3], found[120], found[4]) == ("finance", "finance", "retail")


def test_a_record_that_is_made_while_paging_is_there_after_the_next_load(portal, settings):
    made = company(131, "new", "2025-06-01T12:30:00+03:00")
    portal.trouble("batch", kind="change", put=[[COMPANY, 131, made]])
    extract_source(settings, "bitrix24")
    extract_source(settings, "bitrix24")
    assert segments(settings)[131] == "new"


@pytest.mark.parametrize("method", ["crm.item.list", "batch", "crm.item.fields"])
def test_an_answer_that_is_cut_in_the_middle_is_asked_for_again(portal, settings, method):
    portal.trouble(method, kind="cut", times=2)
    extract_source(settings, "bitrix24")
    assert len(segments(settings)) == 130


@pytest.mark.parametrize(("status", "error"), [(503, "QUERY_LIMIT_EXCEEDED"), (429, "OPERATION_TIME_LIMIT")])
@pytest.mark.parametrize("method", ["crm.item.list", "batch"])
def test_a_limit_is_waited_out_also_when_it_hits_a_part_of_a_batch(portal, settings, method, status, error):
    portal.trouble(method, status=status, error=error, times=3)
    extract_source(settings, "bitrix24")
    assert len(segments(settings)) == 130


def test_the_operating_limit_of_a_method_is_waited_out(portal, settings):
    # The companies take a call and a batch of fifty, 204 s; what comes after them runs into the limit.
    portal.operating.limit, portal.operating.cost = 206.0, 4.0
    extract_source(settings, "bitrix24")
    assert len(segments(settings)) == 130
    assert portal.now >= 600  # at least one window had to end


def test_the_portal_itself_refuses_a_method_that_worked_too_long(portal):
    portal.operating.limit, portal.operating.cost = 10.0, 6.0
    assert portal.operating.allows("crm.item.list")
    portal.operating.add("crm.item.list", 0)
    assert portal.operating.allows("crm.item.list")
    portal.operating.add("crm.item.list", 0)
    assert not portal.operating.allows("crm.item.list")
    assert portal.operating.allows("crm.activity.list")


def test_an_expired_webhook_is_told_at_once_and_without_its_code(portal, tmp_path):
    expired = load_settings(
        tmp_path / "home",
        sources=["bitrix24"],
        bitrix24_url=portal.url.replace(portals.CODE, portals.EXPIRED_CODE),
        as_of="2026-01-01",
    )
    with pytest.raises(SourceError, match="the portal refuses the webhook") as told:
        extract_source(expired, "bitrix24")
    assert portals.EXPIRED_CODE not in str(told.value)
    assert portal.now == 0  # nothing was waited for


def test_a_part_of_a_batch_that_fails_for_good_stops_the_load(portal, settings):
    portal.trouble("crm.item.list", status=400, error="INVALID_ARG_VALUE", times=1000)
    with pytest.raises(SourceError, match=r"INVALID_ARG_VALUE|as told"):
        extract_source(settings, "bitrix24")
    assert not list(settings.landing.glob("bitrix24/companies/load=*"))


def test_instants_in_the_other_documented_shape_are_read_by_the_portals_clock(portal, settings, tmp_path):
    portal.trouble("crm.item.list", kind="dates", times=1000)
    extract_source(settings, "bitrix24")
    with duckdb.connect(str(stage(settings, ["bitrix24"])), read_only=True) as connection:
        rows = connection.execute("select distinct registered_at from staging.stg_bitrix24__clients").fetchall()
    assert rows == [("2025-06-01 12:00:00",)]  # no zone: the company's, which is Moscow as the portal's


def test_the_history_of_stages_is_paged_like_everything_else(portal, settings, tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    delivered = (PROJECT_ROOT / "sources" / "bitrix24.yml").read_text(encoding="utf-8")
    (folder / "bitrix24.yml").write_text(delivered + "\ndeals: {closed_at: stage_history}\n", encoding="utf-8")
    step = {"STAGE_ID": "WON", "CREATED_TIME": STAMP}
    portal.put("deal_stages", *({"ID": str(number), "OWNER_ID": str(number)} | step for number in range(1, 121)))
    settings = settings.model_copy(update={"sources_dir": folder})
    (stages,) = [entity for entity in entities(settings, "bitrix24") if entity.name == "deal_stages"]
    extract_source(settings, "bitrix24")
    assert len(present(settings, stages, "ID, OWNER_ID, STAGE_ID, CREATED_TIME")) == 120
