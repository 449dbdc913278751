"""Harm prevented: a connector that is tested against a Bitrix24 that no portal resembles."""

import threading
import urllib.parse

import pytest
import requests

from demo.model import midnight
from demo.systems.bitrix24 import store as bitrix24_store
from demo.systems.bitrix24.limits import Bucket
from demo.systems.bitrix24.methods import item_fields
from demo.systems.bitrix24.protocol import unfold
from demo.systems.bitrix24.server import Bitrix24Server
from demo.systems.bitrix24.troubles import Trouble
from demo.systems.postgres import BEGINNING

UNTIL = midnight(20_454)  # 2026-01-01
CODE = "s3cret"


@pytest.fixture(scope="module")
def store(small_plan, tmp_path_factory):
    path = tmp_path_factory.mktemp("bitrix24") / "bitrix24.sqlite"
    bitrix24_store.fill(path, small_plan, BEGINNING, UNTIL, lambda message: None)
    return path


@pytest.fixture
def server(store):
    server = Bitrix24Server(("127.0.0.1", 0), store, CODE, rate=1e6, burst=1e6, expired_codes=("old",))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def post(server, method, **params):
    return requests.post(f"{server.url}{method}.json", json=params, timeout=10)


def result(server, method, **params):
    answer = post(server, method, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_pages_hold_fifty_and_lead_to_all_elements_once(server):
    ids, start = [], 0
    while start is not None:
        answer = result(server, "crm.activity.list", start=start)
        ids += [activity["ID"] for activity in answer["result"]]
        assert len(answer["result"]) <= 50
        total, start = answer["total"], answer.get("next")
        assert start is None or start % 50 == 0
    assert len(ids) == len(set(ids)) == total > 100
    assert all(isinstance(number, str) for number in ids)


def test_fast_paging_counts_nothing_and_goes_on_by_id(server):
    seen, last = [], 0
    while True:
        filters = {"entityTypeId": 1040, "order": {"id": "ASC"}, "filter": {">id": last}, "start": -1}
        answer = result(server, "crm.item.list", **filters)
        assert "next" not in answer and "total" not in answer
        page = answer["result"]["items"]
        seen += [item["id"] for item in page]
        if len(page) < 50:
            break
        last = page[-1]["id"]
    assert seen == sorted(set(seen))
    assert len(seen) == result(server, "crm.item.list", entityTypeId=1040)["total"]


def test_a_batch_walks_from_page_to_page_by_references(server):
    commands = {"1": "crm.activity.list?start=-1&order[ID]=ASC"}
    for number in range(2, 5):
        last = f"$result[{number - 1}][49][ID]"
        query = urllib.parse.urlencode({"start": "-1", "order[ID]": "ASC", "filter[>ID]": last})
        commands[str(number)] = f"crm.activity.list?{query}"
    answer = result(server, "batch", cmd=commands, halt=0)["result"]
    ids = [int(activity["ID"]) for number in "1234" for activity in answer["result"][number]]
    assert len(ids) == 200 and ids == sorted(set(ids))
    assert answer["result_error"] == [], "an empty map is written as a list"
    assert answer["result_total"] == [] and set(answer["result_time"]) == set("1234")


def test_a_batch_answers_200_when_parts_fail_and_stops_only_when_asked(server):
    commands = {"good": "user.get", "bad": "crm.item.list?entityTypeId=999", "last": "department.get"}
    answer = result(server, "batch", cmd=commands)["result"]
    assert set(answer["result"]) == {"good", "last"}
    assert answer["result_error"]["bad"]["error"] == "NOT_FOUND"
    assert set(result(server, "batch", cmd=commands, halt=1)["result"]["result"]) == {"good"}
    too_many = post(server, "batch", cmd={str(number): "user.get" for number in range(51)})
    assert too_many.status_code == 400 and too_many.json()["error"] == "ERROR_BATCH_LENGTH_EXCEEDED"


def test_the_cursor_filter_understands_offsets(server):
    everything = result(server, "crm.item.list", entityTypeId=2)["total"]
    late = result(server, "crm.item.list", entityTypeId=2, filter={">=updatedTime": "2025-06-01T00:00:00+03:00"})
    same = result(server, "crm.item.list", entityTypeId=2, filter={">=updatedTime": "2025-05-31T21:00:00+00:00"})
    assert 0 < late["total"] == same["total"] < everything
    assert all(item["updatedTime"] >= "2025-06-01" for item in late["result"]["items"])


def test_user_fields_come_in_camel_case_unless_asked_otherwise(server):
    camel = result(server, "crm.item.list", entityTypeId=4)["result"]["items"][0]
    plain = result(server, "crm.item.list", entityTypeId=4, useOriginalUfNames="Y")["result"]["items"][0]
    assert camel["ufCrmSegment"] == plain["UF_CRM_SEGMENT"]
    assert "UF_CRM_SEGMENT" not in camel
    fields = result(server, "crm.item.fields", entityTypeId=1034)["result"]["fields"]
    assert {"ID": "61", "VALUE": "unresponsive_support"} in fields["ufCrm3Reason"]["items"]


def test_select_leaves_contact_details_out(server):
    chosen = {"entityTypeId": 4, "select": ["id", "title", "UF_CRM_SEGMENT"], "useOriginalUfNames": "Y"}
    (item, *_) = result(server, "crm.item.list", **chosen)["result"]["items"]
    assert set(item) == {"id", "title", "UF_CRM_SEGMENT"}
    whole = result(server, "crm.item.list", entityTypeId=4)["result"]["items"][0]
    assert {"phone", "email"} <= set(whole), "what must not be extracted is there to be left alone"


def test_forms_and_query_strings_are_understood_as_well_as_json(server):
    by_query = requests.get(f"{server.url}crm.activity.list?filter[DIRECTION]=1&start=-1", timeout=10).json()
    form = {"filter[DIRECTION]": "1", "start": "-1"}
    by_form = requests.post(f"{server.url}crm.activity.list", data=form, timeout=10).json()
    by_json = result(server, "crm.activity.list", filter={"DIRECTION": 1}, start=-1)
    assert by_query["result"] == by_form["result"] == by_json["result"]
    assert {activity["DIRECTION"] for activity in by_json["result"]} == {"1"}
    assert unfold([("select[]", "a"), ("select[]", "b")]) == {"select": ["a", "b"]}


def test_every_answer_tells_its_time_and_dates_carry_an_offset(server):
    answer = result(server, "server.time")
    assert {"start", "finish", "duration", "processing", "date_start", "date_finish"} <= set(answer["time"])
    assert answer["result"].endswith("+03:00")
    user = result(server, "user.get")["result"][0]
    assert isinstance(user["ID"], str) and isinstance(user["UF_DEPARTMENT"], list)


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("rest/1/wrong/user.get.json", 401, "INVALID_CREDENTIALS"),
        ("rest/2/s3cret/user.get.json", 401, "INVALID_CREDENTIALS"),
        ("rest/1/old/user.get.json", 401, "expired_token"),
        ("rest/user.get", 401, "NO_AUTH_FOUND"),
        ("rest/1/s3cret/crm.nothing.json", 404, "ERROR_METHOD_NOT_FOUND"),
        ("rest/1/s3cret/crm.item.list.json", 400, "100"),
        ("rest/1/s3cret/crm.item.list.json?entityTypeId=4&filter[>nothing]=1", 400, "INVALID_ARG_VALUE"),
        ("rest/1/s3cret/crm.item.list.json?entityTypeId=4&filter[>updatedTime]=soon", 400, "INVALID_ARG_VALUE"),
        ("rest/1/s3cret/user.get.json?start=many", 400, "INVALID_ARG_VALUE"),
    ],
)
def test_wrong_use_is_told_with_the_code_of_the_protocol(server, path, status, error):
    host, port = server.server_address[:2]
    answer = requests.get(f"http://{host}:{port}/{path}", timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]


def test_broken_json_is_a_bad_request(server):
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{server.url}user.get.json", data="{", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")


def test_the_bucket_lets_a_burst_through_and_then_two_a_second(server):
    now = [1_000.0]
    server.bucket = Bucket(rate=2, size=50, clock=lambda: now[0])
    statuses = [post(server, "server.time").status_code for _ in range(60)]
    assert statuses[:50] == [200] * 50
    refused = post(server, "server.time")
    assert (refused.status_code, refused.json()["error"]) == (503, "QUERY_LIMIT_EXCEEDED")
    now[0] += 1
    assert [post(server, "server.time").status_code for _ in range(3)] == [200, 200, 503]


def test_it_misbehaves_as_told_and_then_behaves(server):
    server.troubles.plan(Trouble("crm.item.list", 429, "OPERATION_TIME_LIMIT", times=2))
    assert post(server, "crm.item.list", entityTypeId=4).json()["error"] == "OPERATION_TIME_LIMIT"
    part = result(server, "batch", cmd={"a": "crm.item.list?entityTypeId=4", "b": "user.get"})["result"]
    assert part["result_error"]["a"]["error"] == "OPERATION_TIME_LIMIT" and "b" in part["result"]
    assert post(server, "crm.item.list", entityTypeId=4).status_code == 200
    host, port = server.server_address[:2]
    told = {"method": "*", "status": 503, "error": "OVERLOAD_LIMIT"}
    requests.post(f"http://{host}:{port}/demo/trouble", json=told, timeout=10)
    assert post(server, "user.get").status_code == 503
    assert post(server, "user.get").status_code == 200


def test_an_answer_says_how_long_its_method_has_worked(server):
    server.operating.cost = 7.0
    part = result(server, "batch", cmd={"a": "crm.item.list?entityTypeId=4", "b": "crm.item.list?entityTypeId=2"})[
        "result"
    ]
    assert 7 <= part["result_time"]["a"]["operating"] < 8 and 14 <= part["result_time"]["b"]["operating"] < 15
    told = result(server, "crm.item.list", entityTypeId=4)["time"]
    assert 21 <= told["operating"] < 23
    assert 0 < told["operating_reset_at"] - told["finish"] <= 600


@pytest.mark.parametrize("planned", [b"{", b'{"method": "*", "kind": "cutt"}', b'{"method": "*", "statis": 503}'])
def test_a_trouble_that_is_none_is_refused(server, planned):
    host, port = server.server_address[:2]
    answer = requests.post(f"http://{host}:{port}/demo/trouble", data=planned, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")


def test_state_survives_a_restart(server, store):
    first = result(server, "crm.item.list", entityTypeId=1030)["result"]
    again = Bitrix24Server(("127.0.0.1", 0), store, CODE, rate=1e6, burst=1e6)
    threading.Thread(target=again.serve_forever, daemon=True).start()
    try:
        assert result(again, "crm.item.list", entityTypeId=1030)["result"] == first
    finally:
        again.shutdown()
        again.server_close()


def test_every_field_of_an_element_is_described(server):
    for entity_type in (2, 4, 1030, 1032, 1034, 1036, 1038, 1040):
        items = result(server, "crm.item.list", entityTypeId=entity_type, useOriginalUfNames="Y")["result"]["items"]
        assert items, entity_type
        assert set().union(*items) <= set(item_fields(entity_type, True)), entity_type
