"""Harm: an item that was changed while its portal was slow, refused a part of a batch or cut a load off would be
missing from the warehouse, or stand there as it once was."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from retention.extract import extract_source
from retention.settings import PROJECT_ROOT, load_settings
from retention.sources import SourceError, entities, interrupted
from tests.sources import portal as portals
from tests.sources.histories import (
    POINTS,
    bounded,
    canonical,
    go_through,
    killed_load,
    leftovers,
    load,
    long_lives,
    once,
    present,
)

BEGINNING = datetime(2025, 1, 1, 12, tzinfo=ZoneInfo("Europe/Moscow"))
NUMBER = st.integers(1, 120)  # more than two pages, when all are there
NUMBERS = st.lists(NUMBER, min_size=1, max_size=60)
SEGMENT = st.sampled_from(["retail", "finance"])
AGE = st.sampled_from([0, 0, 0, 30, 55, 5_000])
TIMES = st.integers(1, 3)
PIPELINE = st.sampled_from([0, 0, 9])  # 9 holds requests to leave
CUT = st.none() | st.tuples(st.sampled_from(POINTS), st.integers(1, 5))
REFUSALS = ("refuses the webhook", "INVALID_REQUEST")
STEP = st.one_of(
    st.tuples(st.just("put"), NUMBERS, SEGMENT, AGE),
    st.tuples(st.just("delete"), NUMBERS),
    st.tuples(st.just("contact"), NUMBER, AGE),
    st.tuples(st.just("deal"), st.integers(1, 9), PIPELINE, AGE),
    # What somebody does while a later load is at its first, second, ... request.
    st.tuples(st.just("meanwhile"), st.integers(0, 25), NUMBERS, NUMBERS, SEGMENT),
    st.tuples(
        st.just("trouble"),
        st.sampled_from(
            [
                ("*", {"status": 503, "error": "QUERY_LIMIT_EXCEEDED"}),
                ("crm.item.list", {"status": 429, "error": "OPERATION_TIME_LIMIT"}),  # parts of batches, too
                ("*", {"kind": "cut"}),
                ("crm.item.list", {"kind": "dates"}),
                ("*", {"status": 401, "error": "expired_token"}),
                ("*", {"status": 400, "error": "INVALID_REQUEST"}),
            ]
        ),
        TIMES,
        st.integers(0, 25),
    ),
    st.tuples(st.just("load"), st.booleans(), CUT),
    st.tuples(st.just("wait"), st.integers(1, 300)),
)


class Life:
    """What happens in a portal, on a clock of its own."""

    def __init__(self, portal: portals.Portal) -> None:
        self.portal, self.minute, self.next_id = portal, 0, 1000
        self.stamps: dict[tuple[str, int], datetime] = {}
        portal.empty()
        portal.put("departments", {"ID": "1", "NAME": "Sales"})
        portal.put("users", {"ID": "1", "XML_ID": "anna", "NAME": "Anna", "UF_DEPARTMENT": [1]})

    def now(self, age: int) -> datetime:
        self.minute += 1
        return BEGINNING + timedelta(minutes=self.minute - age, seconds=self.minute % 60)

    def stamp(self, entity: str, number: int, now: datetime) -> str:
        """When an item is said to have changed: one that comes late may say long ago, but later than it said before."""
        before = self.stamps.get((entity, number), datetime.min.replace(tzinfo=now.tzinfo))
        self.stamps[entity, number] = max(now, before + timedelta(seconds=1))
        return self.stamps[entity, number].isoformat()

    def companies(self, numbers: Iterable[int], segment: str, age: int = 0) -> list[dict[str, Any]]:
        """Companies as they are after a change of now; they were made when the portal was."""
        now = self.now(age)
        made = {"createdTime": BEGINNING.isoformat(), "UF_CRM_SEGMENT": segment}
        return [
            {"id": number, "title": f"Client {number}", "updatedTime": self.stamp("companies", number, now)} | made
            for number in sorted(set(numbers))
        ]

    def do(self, step: tuple) -> None:
        match step:
            case ("put", numbers, segment, age):
                self.portal.put("companies", *self.companies(numbers, segment, age))
            case ("delete", numbers):
                self.portal.delete("companies", *numbers)
            case ("contact", number, age):
                self.next_id += 1
                stamp = self.stamp("activities", self.next_id, self.now(age))
                contact = {"ID": str(self.next_id), "OWNER_TYPE_ID": "4", "OWNER_ID": str(number)}
                contact |= {"START_TIME": stamp, "LAST_UPDATED": stamp, "DIRECTION": "2", "TYPE_ID": "2"}
                self.portal.put("activities", contact)
            case ("deal", number, pipeline, age):
                # Made, won or moved to another pipeline.
                stamp = self.stamp("deals", number, self.now(age))
                deal = {
                    "id": number,
                    "companyId": 1,
                    "assignedById": 1,
                    "categoryId": pipeline,
                    "stageId": f"C{pipeline}:NEW",
                }
                deal |= {"stageSemanticId": "P", "opportunity": 1, "currencyId": "RUB", "UF_CRM_ASKED": stamp}
                self.portal.put("deals", deal | {"createdTime": BEGINNING.isoformat(), "updatedTime": stamp})
            case ("meanwhile", requests, gone, changed, segment):
                kind = portals.KINDS["companies"]
                put = [(kind, company["id"], company) for company in self.companies(changed, segment)]
                delete = [(kind, number) for number in gone]
                self.portal.trouble("*", kind="change", after=requests, delete=delete, put=put)
            case ("trouble", (method, about), times, requests):
                self.portal.trouble(method, **about, times=times, after=requests)
            case ("wait", minutes):
                self.minute += minutes

    def rows(self) -> tuple[list[tuple], list[tuple], list[tuple]]:
        """Companies, activities and deals as the portal has them."""
        companies = [
            (str(row["id"]), row["UF_CRM_SEGMENT"], row["updatedTime"]) for row in self.portal.elements("companies")
        ]
        contacts = [(row["ID"], row["OWNER_ID"]) for row in self.portal.elements("activities")]
        return sorted(companies), sorted(contacts), sorted(self.deals())

    def deals(self, *pipelines: int) -> list[tuple[str, str]]:
        """Number and pipeline of the deals of some pipelines, or of all."""
        found = [(str(row["id"]), row["categoryId"]) for row in self.portal.elements("deals")]
        return [(number, str(pipeline)) for number, pipeline in found if not pipelines or pipeline in pipelines]


@pytest.fixture
def portal(tmp_path) -> Iterator[portals.Portal]:
    with portals.running(tmp_path) as portal:
        yield portal


def settings_of(home, portal: portals.Portal, **more):
    return load_settings(home, sources=["bitrix24"], bitrix24_url=portal.url, as_of="2026-01-01", **more)


def landed(settings) -> tuple[list[tuple], list[tuple], list[tuple]]:
    known = {entity.name: entity for entity in entities(settings, "bitrix24")}
    return (
        sorted(present(settings, known["companies"], "id, segment, updatedTime")),
        sorted(present(settings, known["activities"], "ID, OWNER_ID")),
        sorted(present(settings, known["deals"], "id, categoryId")),
    )


def test_after_any_history_and_a_reconciliation_the_landed_rows_are_those_of_the_portal(portal):
    @bounded
    @given(st.lists(STEP, min_size=6, max_size=20))
    def live(steps):
        life = Life(portal)
        with TemporaryDirectory() as home:
            settings = settings_of(home, portal)
            go_through(settings, "bitrix24", steps, life.do, refusals=REFUSALS)
            portal.troubles.plan()
            load(settings, "bitrix24", whole=True)
            assert landed(settings) == life.rows()
            assert leftovers(settings.home) == []

    live()


def test_the_canonical_rows_are_those_of_the_portal_after_a_long_life(portal, tmp_path):
    mapping = yaml.safe_load((PROJECT_ROOT / "sources" / "bitrix24.yml").read_text(encoding="utf-8"))
    mapping["termination_requests"] = {
        "pipeline": 9,
        "fields": {"requested_at": "UF_CRM_ASKED"},
        "values": {"outcome": {"C9:NEW": None}},
    }
    (tmp_path / "bitrix24.yml").write_text(yaml.safe_dump(mapping), encoding="utf-8")

    @once
    @given(long_lives(STEP, 25, 40))
    def live(steps):
        life = Life(portal)
        life.do(("put", list(range(1, 70)), "retail", 0))
        steps = [("deal", 1, 0, 0), ("load", False, None), *steps, ("deal", 1, 9, 0), ("deal", 2, 0, 0)]
        with TemporaryDirectory() as home, portals.user_field(2, "UF_CRM_ASKED", "datetime"):
            settings = settings_of(home, portal, sources_dir=tmp_path)
            go_through(settings, "bitrix24", steps, life.do, refusals=REFUSALS)
            portal.troubles.plan()
            load(settings, "bitrix24", whole=True)
            rows = sorted(canonical(settings, "clients", "client_key, segment"))
            assert rows == [(number, segment) for number, segment, _ in life.rows()[0]]
            assert life.deals(0) and life.deals(9)
            with duckdb.connect(str(settings.build_file), read_only=True) as connection:
                for entity, key, pipeline in (("deals", "deal", 0), ("termination_requests", "request", 9)):
                    found = connection.execute(f"select {key}_key from staging.stg_canonical__{entity} order by 1")
                    assert found.fetchall() == [(number,) for number, _ in life.deals(pipeline)]

    live()


@pytest.mark.parametrize("point", POINTS[:4])
def test_a_load_that_is_killed_is_made_good_by_the_next(portal, tmp_path, point):
    life, settings = Life(portal), settings_of(tmp_path, portal)
    life.do(("put", list(range(1, 60)), "retail", 0))
    extract_source(settings, "bitrix24")
    life.do(("put", [3, 61, 62], "finance", 0))
    before = landed(settings)
    assert killed_load(settings, "bitrix24", point, 1)
    assert landed(settings) == before
    extract_source(settings, "bitrix24")
    assert landed(settings) == life.rows()


def test_an_error_of_the_portals_own_is_waited_out(portal, tmp_path):
    life, settings = Life(portal), settings_of(tmp_path, portal)
    life.do(("put", [1], "retail", 0))
    portal.trouble("*", status=500, error="INTERNAL_SERVER_ERROR", times=2)
    extract_source(settings, "bitrix24")
    assert landed(settings) == life.rows()


def test_a_user_who_is_deleted_between_two_pages_hides_no_other(portal, tmp_path):
    settings = settings_of(tmp_path, portal)
    portal.put("users", *({"ID": str(number), "NAME": "N"} for number in range(1, 121)))
    portal.trouble("batch", kind="change", delete=[(portals.KINDS["users"], 3)])
    extract_source(settings, "bitrix24")
    assert len(portal.elements("users")) == 119
    known = {entity.name: entity for entity in entities(settings, "bitrix24")}
    rows = {row[0] for row in present(settings, known["users"], "ID")}
    assert {str(number) for number in range(1, 121)} - rows <= {"3"}


def segments(settings) -> dict[str, str]:
    return {number: segment for number, segment, _ in landed(settings)[0]}


@pytest.fixture
def cut_off(portal, tmp_path):
    """A life of 2,800 companies whose first load was cut off: a call and a batch bring 2,550 rows, and the second batch
    was never answered."""
    life, settings = Life(portal), settings_of(tmp_path / "home", portal)
    portal.put("companies", *life.companies(range(1, 2_801), "retail"))
    portal.trouble("batch", kind="cut", after=1, times=1000)
    with pytest.raises(SourceError, match="does not answer"):
        extract_source(settings, "bitrix24")
    assert landed(settings) == ([], [], [])
    portal.troubles.plan()
    return life, settings, settings.landing / "bitrix24" / "companies" / ".interrupted"


def test_a_load_that_is_cut_off_goes_on_behind_what_it_had(portal, cut_off):
    life, settings, kept = cut_off
    assert kept.is_dir()
    # Meanwhile a row that was read already changes, one is new, and one that was not read yet is deleted.
    portal.put("companies", {"id": 1, "UF_CRM_SEGMENT": "finance", "updatedTime": "2099-01-01T12:00:00+03:00"})
    portal.put("companies", *life.companies([2_801], "retail"))
    portal.delete("companies", 2_800)
    portal.requests.clear()
    assert extract_source(settings, "bitrix24")[0].rows == 2_800
    batches = [parameters["cmd"].values() for method, parameters in portal.requests if method == "batch"]
    assert all("=2551" in command for command in batches[0])
    assert not kept.exists()
    assert segments(settings)["1"] == "retail"  # as it was read; its change is for the next load
    assert "2801" in segments(settings) and "2800" not in segments(settings)
    extract_source(settings, "bitrix24")
    assert segments(settings)["1"] == "finance"


def test_what_another_read_had_is_not_gone_on_with(portal, cut_off):
    _, settings, kept = cut_off
    about = kept / "about.json"
    about.write_text(about.read_text().replace("segment", "something"))
    portal.put("companies", {"id": 1, "UF_CRM_SEGMENT": "finance"})
    assert extract_source(settings, "bitrix24")[0].rows == 2_800
    assert segments(settings)["1"] == "finance"


def test_a_last_line_that_was_cut_in_two_is_read_again(tmp_path):
    with pytest.raises(KeyboardInterrupt), interrupted.attempt(tmp_path, "the same", "id") as going:
        going.write({"id": "7", "name": "whole"})
        going.handle.write('{"id": "8", "na')
        raise KeyboardInterrupt
    with interrupted.attempt(tmp_path, "the same", "id") as going:
        assert (going.rows, going.last_id) == (1, 7)
        assert going.path.read_text().splitlines() == ['{"id": "7", "name": "whole"}']
    assert not list(tmp_path.iterdir())
