"""Harm: an item that was changed while its portal was slow, refused a part of a batch or cut a load off would be
missing from the warehouse, or stand there as it once was."""

from datetime import datetime, timedelta
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.extract import extract_source
from retention.settings import load_settings
from retention.sources import SourceError, bitrix24, entities, interrupted
from tests.sources import portal as portals
from tests.sources.histories import POINTS, bounded, canonical, killed_load, leftovers, load, once, present

BEGINNING = datetime(2025, 1, 1, 12, tzinfo=ZoneInfo("Europe/Moscow"))
NUMBER = st.integers(1, 120)  # more than two pages, when all are there
AGE = st.sampled_from([0, 0, 0, 30, 55, 5_000])
CUT = st.none() | st.tuples(st.sampled_from(POINTS), st.integers(1, 5))
STEP = st.one_of(
    st.tuples(st.just("put"), st.lists(NUMBER, min_size=1, max_size=60), st.sampled_from(["retail", "finance"]), AGE),
    st.tuples(st.just("delete"), st.lists(NUMBER, min_size=1, max_size=30)),
    st.tuples(st.just("contact"), NUMBER, AGE),
    st.tuples(st.just("slow"), st.integers(1, 3)),
    st.tuples(st.just("part fails"), st.integers(1, 2)),
    st.tuples(
        st.just("gone"),
    ),
    st.tuples(st.just("load"), st.booleans(), CUT),
    st.tuples(st.just("wait"), st.integers(1, 300)),
)


class Life:
    """What happens in a portal, on a clock of its own."""

    def __init__(self, portal: portals.Portal) -> None:
        self.portal, self.minute, self.next_id = portal, 0, 1000
        for rows in portal.items.values():
            rows.clear()
        portal.failures.clear()
        portal.batch_failures.clear()

    def stamp(self, age: int) -> str:
        self.minute += 1
        return (BEGINNING + timedelta(minutes=self.minute - age, seconds=self.minute % 60)).isoformat()

    def do(self, step: tuple) -> None:
        companies = self.portal.items["companies"]
        match step:
            case ("put", numbers, segment, age):
                stamp = self.stamp(age)
                companies[:] = [row for row in companies if row["id"] not in numbers]
                companies += [
                    {
                        "id": n,
                        "title": f"Client {n}",
                        "createdTime": stamp,
                        "updatedTime": stamp,
                        "UF_CRM_SEGMENT": segment,
                    }
                    for n in set(numbers)
                ]
            case ("delete", numbers):
                companies[:] = [row for row in companies if row["id"] not in numbers]
            case ("contact", number, age):
                self.next_id += 1
                stamp = self.stamp(age)
                self.portal.items["activities"].append(
                    {"ID": str(self.next_id), "OWNER_TYPE_ID": "4", "OWNER_ID": str(number), "START_TIME": stamp}
                    | {"LAST_UPDATED": stamp, "DIRECTION": "2", "TYPE_ID": "2"}
                )
            case ("slow", times):
                self.portal.failures += [(503, "QUERY_LIMIT_EXCEEDED"), (429, "OPERATION_TIME_LIMIT")] * times
            case ("part fails", times):
                self.portal.batch_failures += ["QUERY_LIMIT_EXCEEDED"] * times
            case ("gone",):
                self.portal.failures.append((401, "expired_token"))
            case ("wait", minutes):
                self.minute += minutes

    def rows(self) -> tuple[list[tuple], list[tuple]]:
        companies = [
            (str(row["id"]), row["UF_CRM_SEGMENT"], row["updatedTime"]) for row in self.portal.items["companies"]
        ]
        contacts = [(row["ID"], row["OWNER_ID"]) for row in self.portal.items["activities"]]
        return sorted(companies), sorted(contacts)


@pytest.fixture
def portal(monkeypatch):
    monkeypatch.setattr(bitrix24.time, "sleep", lambda seconds: None)
    with portals.running() as running:
        yield running


def settings_of(home, portal: portals.Portal):
    return load_settings(home, sources=["bitrix24"], bitrix24_url=portal.url, as_of="2026-01-01")


def landed(settings) -> tuple[list[tuple], list[tuple]]:
    known = {entity.name: entity for entity in entities(settings, "bitrix24")}
    return (
        sorted(present(settings, known["companies"], "id, segment, updatedTime")),
        sorted(present(settings, known["activities"], "ID, OWNER_ID")),
    )


def attempt(settings, whole: bool, cut_at) -> None:
    """A load that may run into a portal that refuses it: nothing of that may be seen afterwards."""
    try:
        load(settings, "bitrix24", whole=whole, cut_at=cut_at)
    except SourceError as error:
        assert "refuses the webhook" in str(error)


def test_after_any_history_and_a_reconciliation_the_landed_rows_are_those_of_the_portal(portal):
    @bounded
    @given(st.lists(STEP, min_size=6, max_size=20))
    def live(steps):
        life = Life(portal)
        with TemporaryDirectory() as home:
            settings = settings_of(home, portal)
            for step in steps:
                if step[0] == "load":
                    attempt(settings, step[1], step[2])
                else:
                    life.do(step)
            portal.failures.clear()
            load(settings, "bitrix24", whole=True)
            assert landed(settings) == life.rows()
            assert leftovers(settings.home) == []

    live()


def test_the_canonical_clients_are_the_companies_of_the_portal_after_a_long_life(portal):
    @once
    @given(st.lists(STEP, min_size=25, max_size=40))
    def live(steps):
        life = Life(portal)
        life.do(("put", list(range(1, 70)), "retail", 0))
        with TemporaryDirectory() as home:
            settings = settings_of(home, portal)
            for step in steps:
                if step[0] == "load":
                    attempt(settings, step[1], step[2])
                else:
                    life.do(step)
            portal.failures.clear()
            load(settings, "bitrix24", whole=True)
            rows = sorted(canonical(settings, "clients", "client_key, segment"))
            assert rows == [(number, segment) for number, segment, _ in life.rows()[0]]

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
    portal.failures += [(500, "INTERNAL_SERVER_ERROR"), (500, "INTERNAL_SERVER_ERROR")]
    extract_source(settings, "bitrix24")
    assert landed(settings) == life.rows()


def test_a_user_who_is_deleted_between_two_pages_hides_no_other(portal, tmp_path, monkeypatch):
    settings = settings_of(tmp_path, portal)
    portal.items["users"] = [{"ID": str(number), "NAME": "N"} for number in range(1, 121)]
    answer = portals.Portal.answer

    def deleting(self, method, parameters):
        page = answer(self, method, parameters)
        if method == "user.get":
            self.items["users"] = [row for row in self.items["users"] if row["ID"] != "3"]
        return page

    monkeypatch.setattr(portals.Portal, "answer", deleting)
    extract_source(settings, "bitrix24")
    known = {entity.name: entity for entity in entities(settings, "bitrix24")}
    rows = {row[0] for row in present(settings, known["users"], "ID")}
    assert {str(number) for number in range(1, 121)} - rows <= {"3"}


def companies(numbers):
    stamp = "2025-01-01T12:00:00+03:00"
    stamped = {"createdTime": stamp, "updatedTime": stamp, "UF_CRM_SEGMENT": "retail"}
    return [{"id": number, "title": f"Client {number}"} | stamped for number in numbers]


def segments(settings) -> dict[str, str]:
    return {number: segment for number, segment, _ in landed(settings)[0]}


def cut_off_after(portal, monkeypatch, calls: int) -> None:
    """Let the portal refuse everything after a number of batches."""
    batch, made = portals.Portal.batch, []

    def counted(self, commands):
        made.append(commands)
        if len(made) > calls:
            raise ConnectionError("the line is dead")
        return batch(self, commands)

    monkeypatch.setattr(portals.Portal, "batch", counted)


def test_a_load_that_is_cut_off_goes_on_behind_what_it_had(portal, tmp_path, monkeypatch):
    # A call and a batch bring 2,550 rows: the second batch is never answered.
    portal.items["companies"] = companies(range(1, 2_801))
    settings = settings_of(tmp_path, portal)
    with monkeypatch.context() as patch:
        cut_off_after(portal, patch, 1)
        with pytest.raises(SourceError, match="does not answer"):
            extract_source(settings, "bitrix24")
    assert landed(settings) == ([], [])
    kept = settings.landing / "bitrix24" / "companies" / ".interrupted"
    assert kept.is_dir()

    # Meanwhile a row that was read already changes, one is new, and one that was not read yet is deleted.
    portal.items["companies"][0] |= {"UF_CRM_SEGMENT": "finance", "updatedTime": "2099-01-01T12:00:00+03:00"}
    portal.items["companies"].append(companies([2_801])[0])
    del portal.items["companies"][2_799]
    portal.requests.clear()
    assert extract_source(settings, "bitrix24")[0].rows == 2_800
    batches = [parameters["cmd"].values() for method, parameters in portal.requests if method == "batch"]
    assert all("=2551" in command for command in batches[0])
    assert not kept.exists()
    assert segments(settings)["1"] == "retail"  # as it was read; its change is for the next load
    assert "2801" in segments(settings) and "2800" not in segments(settings)
    extract_source(settings, "bitrix24")
    assert segments(settings)["1"] == "finance"


def test_what_another_read_had_is_not_gone_on_with(portal, tmp_path, monkeypatch):
    portal.items["companies"] = companies(range(1, 2_801))
    settings = settings_of(tmp_path, portal)
    with monkeypatch.context() as patch:
        cut_off_after(portal, patch, 1)
        with pytest.raises(SourceError):
            extract_source(settings, "bitrix24")
    about = settings.landing / "bitrix24" / "companies" / ".interrupted" / "about.json"
    about.write_text(about.read_text().replace("segment", "something"))
    portal.items["companies"][0] |= {"UF_CRM_SEGMENT": "finance"}
    assert extract_source(settings, "bitrix24")[0].rows == 2_800
    assert ("1", "finance", "2025-01-01T12:00:00+03:00") in landed(settings)[0]


def test_a_last_line_that_was_cut_in_two_is_read_again(tmp_path):
    with pytest.raises(KeyboardInterrupt), interrupted.attempt(tmp_path, "the same", "id") as going:
        going.write({"id": "7", "name": "whole"})
        going.handle.write('{"id": "8", "na')
        raise KeyboardInterrupt
    with interrupted.attempt(tmp_path, "the same", "id") as going:
        assert (going.rows, going.last_id) == (1, 7)
        assert going.path.read_text().splitlines() == ['{"id": "7", "name": "whole"}']
    assert not list(tmp_path.iterdir())
