"""Working time in Moscow: Mon-Fri 09:00-18:00 with the exceptions of the project's calendar seed.

Only the generator uses it; the seed is what the demo's warehouse reckons with, so what is planned in time is in time.
"""

from __future__ import annotations

import csv
from bisect import bisect_left, bisect_right
from datetime import date
from itertools import accumulate

from demo.model import DAY_SECONDS, FIRST_DAY, HORIZON, at, day_number, midnight, to_date
from demo.money import SEEDS

CALENDAR_FILE = SEEDS / "calendar_exceptions.csv"
OPENS, CLOSES = 9 * 3_600, 18 * 3_600


def _exceptions() -> dict[int, tuple[int, int]]:
    """Day, and the seconds of the wall clock between which it is worked; equal ones on a day off."""

    def second(text: str) -> int:
        hours, minutes, *_ = text.split(":")
        return int(hours) * 3_600 + int(minutes) * 60

    with CALENDAR_FILE.open(encoding="utf-8", newline="") as file:
        return {
            day_number(date.fromisoformat(row["day"])): (
                (second(row["opens_at"]), second(row["closes_at"])) if row["opens_at"] else (0, 0)
            )
            for row in csv.DictReader(file)
        }


def _intervals() -> list[tuple[int, int]]:
    """The instants between which there is work, day by day."""
    exceptions = _exceptions()
    found = []
    for number in range(FIRST_DAY - 400, HORIZON + 400):
        regular = (OPENS, CLOSES) if to_date(number).weekday() < 5 else (0, 0)
        opens, closes = exceptions.get(number, regular)
        if closes > opens:
            found.append((midnight(number) + opens, midnight(number) + closes))
    return found


_OPENINGS, _CLOSINGS = map(list, zip(*_intervals(), strict=True))
_WORKED = list(accumulate((closes - opens for opens, closes in zip(_OPENINGS, _CLOSINGS, strict=True)), initial=0))
"""Seconds of working time before each opening."""


def next_workday(day_number: int) -> int:
    """The day itself if it is a working day, else the next one."""
    closing = _CLOSINGS[bisect_left(_CLOSINGS, at(day_number, 0) + 1)]
    return day_number + (closing - midnight(day_number)) // DAY_SECONDS


def worked_before(instant: int) -> int:
    """Seconds of working time from the beginning of the calendar to an instant."""
    place = bisect_right(_OPENINGS, instant) - 1
    if place < 0:
        return 0
    return _WORKED[place] + min(instant, _CLOSINGS[place]) - _OPENINGS[place]


def add_minutes(instant: int, minutes: float) -> int:
    """The instant that lies so many business minutes after another."""
    seconds = worked_before(instant) + minutes * 60
    place = bisect_right(_WORKED, seconds) - 1
    return _OPENINGS[place] + int(seconds - _WORKED[place])


def seconds_between(start: int, end: int) -> int:
    """Working seconds between two instants (0 when the end does not come after the start)."""
    return max(worked_before(end) - worked_before(start), 0)


def minutes_between(start: int, end: int) -> float:
    """Business minutes between two instants (0 when the end does not come after the start)."""
    return seconds_between(start, end) / 60
