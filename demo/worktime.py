"""Working time in Moscow: Mon-Fri 09:00-18:00 without the public holidays. Only the generator uses it."""

from __future__ import annotations

from bisect import bisect_left

from demo.model import FIRST_DAY, HORIZON, MOSCOW_OFFSET, at, day_of, midnight, to_date

HOLIDAYS = {(1, n) for n in range(1, 9)} | {(2, 23), (3, 8), (5, 1), (5, 9), (6, 12), (11, 4)}
OPENS, CLOSES = 9 * 60, 18 * 60
DAY_MINUTES = CLOSES - OPENS

WORKDAYS = [
    number
    for number in range(FIRST_DAY - 120, HORIZON + 400)
    if to_date(number).weekday() < 5 and (to_date(number).month, to_date(number).day) not in HOLIDAYS
]


def next_workday(day_number: int) -> int:
    """The day itself if it is a working day, else the next one."""
    return WORKDAYS[bisect_left(WORKDAYS, day_number)]


def add_minutes(instant: int, minutes: float) -> int:
    """The instant that lies so many business minutes after another."""
    place = bisect_left(WORKDAYS, day_of(instant))
    into_day = 0.0
    if WORKDAYS[place] == day_of(instant):
        wall_minutes = ((instant + MOSCOW_OFFSET) % 86_400) / 60
        into_day = min(max(wall_minutes - OPENS, 0.0), float(DAY_MINUTES))
    days, rest = divmod(into_day + minutes, DAY_MINUTES)
    return at(WORKDAYS[place + int(days)], 9) + int(rest * 60)


def minutes_between(start: int, end: int) -> float:
    """Business minutes between two instants (0 when the end does not come after the start)."""
    total = 0.0
    for number in WORKDAYS[bisect_left(WORKDAYS, day_of(start)) :]:
        opens = midnight(number) + OPENS * 60
        if opens >= end:
            break
        total += max(0, min(end, opens + DAY_MINUTES * 60) - max(start, opens)) / 60
    return total
