"""What requests and answers of the interface look like on the wire."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any


class RestError(Exception):
    """An error as the protocol tells it."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status, self.code, self.description = status, code, description

    def body(self) -> dict[str, str]:
        return {"error": self.code, "error_description": self.description}


def time_block(started: float, operating: float = 0.0, resets_in: float = 600.0) -> dict[str, Any]:
    """The `time` part of an answer. `operating`: seconds its method has worked, forgotten in `resets_in` seconds."""
    finished = time.time()
    zone = timedelta(hours=3)

    def wall(instant: float) -> str:
        return f"{datetime.fromtimestamp(instant, UTC) + zone:%Y-%m-%dT%H:%M:%S}+03:00"

    spent = finished - started
    return {
        "start": started,
        "finish": finished,
        "duration": spent,
        "processing": spent,
        "date_start": wall(started),
        "date_finish": wall(finished),
        "operating_reset_at": int(finished + resets_in),
        "operating": operating,
    }


# Forms and query strings: filter[>ID]=5&select[]=ID
def unfold(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Nested maps and lists from PHP-style names."""
    result: dict[str, Any] = {}
    for name, value in pairs:
        head, *steps = [name.split("[", 1)[0], *re.findall(r"\[([^\]]*)\]", name)]
        place: dict[str, Any] = result
        for key, _ in zip([head, *steps], steps, strict=False):
            key = key or str(len(place))
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        last = steps[-1] if steps else head
        place[last or str(len(place))] = value
    return {name: _listed(value) for name, value in result.items()}


def _listed(value: Any) -> Any:
    """Maps with the keys 0, 1, 2, ... are lists."""
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(one) for key, one in value.items()}
    if inner and list(inner) == [str(place) for place in range(len(inner))]:
        return list(inner.values())
    return inner
