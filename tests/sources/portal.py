"""The demo's Bitrix24 with nothing in it but what a test puts there, and a note of what it was asked."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from demo.systems.bitrix24 import store
from demo.systems.bitrix24.methods import ENTITY_TYPES
from demo.systems.bitrix24.server import Bitrix24Server, Handler
from demo.systems.bitrix24.troubles import Trouble
from retention.settings import PROJECT_ROOT, load_settings
from retention.sources import bitrix24, bitrix24_portal

CODE, EXPIRED_CODE = "s3cr3tcode", "0ldc0de"
# The portal of the mapping file that is delivered.
ENTITIES = bitrix24.entities(load_settings(sources=["bitrix24"], sources_dir=PROJECT_ROOT / "sources"), "bitrix24")


def _kind(entity: bitrix24.Method) -> str:
    if entity.method == "crm.item.list":
        return store.kind_of(entity.entity_type)
    kinds = {"activities": store.ACTIVITY, "users": store.USER, "departments": store.DEPARTMENT}
    return kinds.get(entity.name, store.steps_of(entity.entity_type))


KINDS = {entity.name: _kind(entity) for entity in ENTITIES}
"""Name of an entity of the connector -> the kind under which the store keeps it."""


class Portal(Bitrix24Server):
    """`requests`: method and parameters of what was asked, oldest first, without the look at the clock.

    `now`: seconds on the clock of its limit of working time, which the connector's waits move.
    """

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, check_same_thread=False)
        store.prepare(self.connection)
        super().__init__(("127.0.0.1", 0), path, CODE, rate=1e6, burst=1e6, expired_codes=(EXPIRED_CODE,))
        self.RequestHandlerClass = _Noting
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.now = 0.0
        self.operating.clock = lambda: self.now

    def wait(self, seconds: float) -> None:
        """What stands in for the connector's `sleep`."""
        self.now += seconds

    def put(self, entity: str, *elements: dict[str, Any]) -> None:
        """Make elements, or change those that have their ids: fields that are not given stay."""
        with self.connection:
            for element in elements:
                kind, number = KINDS[entity], int(element.get("id", element.get("ID")))
                store.write(self.connection, kind, number, store.read(self.connection, kind, number) | element)

    def delete(self, entity: str, *numbers: int) -> None:
        with self.connection:
            for number in numbers:
                store.delete(self.connection, KINDS[entity], number)

    def empty(self) -> None:
        """Forget all elements, troubles and requests."""
        with self.connection:
            self.connection.execute("delete from element")
        self.troubles.plan()
        self.requests.clear()

    def elements(self, entity: str) -> list[dict[str, Any]]:
        """All elements of an entity as they are now, by id."""
        rows = self.connection.execute("select body from element where kind = ? order by id", (KINDS[entity],))
        return [json.loads(body) for (body,) in rows]

    def trouble(self, method: str, **about: Any) -> None:
        """Plan one trouble more: see `demo.systems.bitrix24.troubles`."""
        self.troubles.add(Trouble(method, **about))


class _Noting(Handler):
    server: Portal

    def _answer(self, sent: bytes) -> dict[str, Any]:
        method = urlsplit(self.path).path.removesuffix(".json").rsplit("/", 1)[-1]
        if method != "server.time":
            self.server.requests.append((method, json.loads(sent or b"{}") or {}))
        return super()._answer(sent)


@contextmanager
def running(folder: Path) -> Iterator[Portal]:
    """Serve a portal until the end of the block; the connector does not wait in real time for it."""
    portal = Portal(folder / "portal.sqlite")
    threading.Thread(target=portal.serve_forever, daemon=True).start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bitrix24_portal, "sleep", portal.wait)
            yield portal
    finally:
        portal.shutdown()
        portal.server_close()
        portal.connection.close()


@contextmanager
def user_field(entity_type: int, name: str, kind: str = "string") -> Iterator[None]:
    """A user field more on the items of an entity type."""
    with pytest.MonkeyPatch.context() as patch:
        known = ENTITY_TYPES[entity_type].get("user_fields", {})
        patch.setitem(ENTITY_TYPES[entity_type], "user_fields", known | {name: {"type": kind, "camel": name}})
        yield
