"""What the portal is told to do wrong.

`POST /demo/trouble` with {"method": "crm.item.list", "status": 503, "error": "QUERY_LIMIT_EXCEEDED", "times": 3}
answers so the next three calls of that method ("*": of any; "batch": of a whole batch), after the first `after` calls
(none unless told). A list plans several, one after the other. Other kinds of trouble:
    "kind": "cut"      the connection ends in the middle of the answer
    "kind": "page"     a page of a gateway comes instead of an answer, with `status`
    "kind": "dates"    instants come as 24.08.2023 13:19:39
    "kind": "change"   just before a request is answered, somebody works in the portal: "delete" (a list of [kind, id])
                       and "put" (a list of [kind, id, fields]) say what. A batch is one request: its method is "batch"
What changes the portal, or the spelling of an answer, comes beside an error and not instead of it.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.systems.bitrix24 import store
from demo.systems.bitrix24.protocol import RestError

KINDS = ("error", "cut", "page", "dates", "change")


@dataclass
class Trouble:
    """What the next `times` calls of a method run into, `after` others: see the module's text for the kinds."""

    method: str
    status: int = 200
    error: str = ""
    description: str = "as told"
    times: int = 1
    after: int = 0
    kind: str = "error"
    delete: list[tuple[str, int]] = field(default_factory=list)
    put: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")


class CutOff(Exception):
    """The connection ends in the middle of the answer."""


class GatewayPage(Exception):
    """Something in front of the portal answers instead of it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Troubles:
    """Those that are planned, counted down as calls run into them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._planned: list[Trouble] = []
        self._lock = threading.Lock()

    def plan(self, *troubles: Trouble) -> None:
        """Replace what was planned."""
        with self._lock:
            self._planned = list(troubles)

    def add(self, *troubles: Trouble) -> None:
        """Plan more."""
        with self._lock:
            self._planned += troubles

    def fail(self, method: str) -> None:
        """Raise what a call of the method runs into, if anything: RestError, CutOff or GatewayPage."""
        trouble = self._next(method, ("error", "cut", "page"))
        if trouble and trouble.kind == "cut":
            raise CutOff
        if trouble and trouble.kind == "page":
            raise GatewayPage(trouble.status)
        if trouble:
            raise RestError(trouble.status, trouble.error, trouble.description)

    def change(self, method: str) -> None:
        """Do to the portal's state what was planned for the next call of the method."""
        if trouble := self._next(method, ("change",)):
            with closing(sqlite3.connect(self._path, timeout=30)) as connection, connection:
                for kind, number in trouble.delete:
                    store.delete(connection, kind, number)
                for kind, number, fields in trouble.put:
                    store.write(connection, kind, number, store.read(connection, kind, number) | fields)

    def spell(self, method: str, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer of a method, with its instants in the other documented shape if that was planned."""
        return _with_other_dates(answer) if self._next(method, ("dates",)) else answer

    def _next(self, method: str, kinds: tuple[str, ...]) -> Trouble | None:
        with self._lock:
            for trouble in self._planned:
                if trouble.times > 0 and trouble.kind in kinds and trouble.method in ("*", method):
                    if trouble.after > 0:
                        trouble.after -= 1
                        return None
                    trouble.times -= 1
                    return trouble
        return None


def _with_other_dates(answer: Any) -> Any:
    """The same answer with its instants in the other documented shape, by the portal's clock and without a zone."""
    if isinstance(answer, dict):
        return {name: _with_other_dates(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_with_other_dates(value) for value in answer]
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)\+03:00", answer) if isinstance(answer, str) else None
    return f"{found[3]}.{found[2]}.{found[1]} {found[4]}" if found else answer
