"""Harm: a demo portal that only our own connector understands, so that both could be wrong about Bitrix24 together.

fast-bitrix24, a client library of other people, reads the demo company from it and must get the rows that the connector
lands. It pages in its own way: by offset, with `total` and `next`, several pages to a batch.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pytest
from fast_bitrix24 import BitrixAsync

from retention import landing
from retention.extract import extract_source
from retention.settings import PROJECT_ROOT
from retention.sources import entities
from retention.sources.bitrix24 import as_text
from tests.running_company import running
from tests.sources.staging import stage

CASES = {
    "companies": ("crm.item.list", 4),
    "deals": ("crm.item.list", 2),
    "deal_stages": ("crm.stagehistory.list", 2),
    "termination_requests": ("crm.item.list", 1030),
    "manager_assignments": ("crm.item.list", 1038),
    "activities": ("crm.activity.list", None),
    "users": ("user.get", None),
}


@pytest.fixture(scope="module")
def company(postgres_server, tmp_path_factory):
    with running(postgres_server, tmp_path_factory.mktemp("another"), clients=120, rate=1000, burst=10_000) as company:
        yield company


@pytest.fixture(scope="module")
def settings(company, tmp_path_factory):
    """The company's settings, by a mapping that reads the history of stages too."""
    folder = tmp_path_factory.mktemp("sources")
    delivered = (PROJECT_ROOT / "sources" / "bitrix24.yml").read_text(encoding="utf-8")
    (folder / "bitrix24.yml").write_text(delivered + "\ndeals: {closed_at: stage_history}\n", encoding="utf-8")
    return company.settings.model_copy(update={"sources": ["bitrix24"], "sources_dir": folder})


@pytest.fixture(scope="module")
def landed(settings):
    extract_source(settings, "bitrix24")
    with duckdb.connect() as connection:
        landing.create_landing_views(connection, settings)
        yield connection


def read_by_theirs(address: str, method: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows of a method, read in a thread: another test's browser may keep an event loop running in this one."""

    async def read() -> list[dict[str, Any]]:
        return await BitrixAsync(address, verbose=False, requests_per_second=1000.0, ssl=False).get_all(
            method, parameters
        )

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, read()).result()


@pytest.mark.parametrize("entity", CASES)
def test_another_client_library_reads_the_same_rows(settings, landed, entity):
    method, entity_type = CASES[entity]
    address = settings.bitrix24_url.get_secret_value()
    parameters: dict = {} if method == "user.get" else {"select": ["*", "UF_*"]}
    if entity_type:
        parameters |= {"entityTypeId": entity_type, "useOriginalUfNames": "Y"}
    theirs = read_by_theirs(address, method, parameters)
    answer = landed.execute(f"select * exclude (_load_id, _row_number) from landing.bitrix24__{entity}")
    names = [column[0] for column in answer.description]
    ours = {json.dumps(dict(zip(names, row, strict=True)), sort_keys=True) for row in answer.fetchall()}
    (known,) = [known for known in entities(settings, "bitrix24") if known.name == entity]
    found = {
        json.dumps({name: as_text(item.get(known.portal_name(name))) for name in names}, sort_keys=True)
        for item in theirs
    }
    assert len(theirs) > 50 or entity == "users"  # more than a page, or there would be nothing to page
    assert found == ours


def test_the_history_of_stages_closes_a_deal_on_the_day_that_the_deal_itself_says(settings, landed):
    with duckdb.connect(str(stage(settings, ["bitrix24"])), read_only=True) as connection:
        query = "select deal_key, closed_at from staging.stg_bitrix24__deals where stage <> 'open'"
        closed = dict(connection.execute(query).fetchall())
    told = dict(landed.execute("select id, closedate from landing.bitrix24__deals where stageId <> 'NEW'").fetchall())
    assert len(told) > 50
    assert {key: instant[:10] for key, instant in closed.items()} == {key: day[:10] for key, day in told.items()}
    assert len({instant[11:] for instant in closed.values()}) > 10  # known to the second
