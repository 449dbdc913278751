"""The calendar of working time: the seed `calendar_exceptions.csv`, made from the `holidays` package."""

import csv
import io
from collections.abc import Iterable

import holidays

HEADER = ("day", "opens_at", "closes_at")


class CalendarError(RuntimeError):
    """The calendar cannot be made. The message says what to change."""


def exceptions(country: str, years: Iterable[int], opens_at: str, closes_at: str) -> list[tuple[str, str, str]]:
    """Days of a country that do not follow the regular week, in order: (day, opens_at, closes_at).

    Public holidays, also those on a weekend and their days off in lieu, are closed (empty hours). Weekend days that are
    worked instead of another day are open with the hours given.

    What the package does not know, and this list therefore leaves out: how many hours a short day has (in Russia the
    working day before a holiday ends an hour earlier; it counts whole here), days that only a region or a company is
    closed, and days that were moved for years whose decree is not in the package yet. Add those rows to a seed of your
    own. Days of years that are not in the list follow the regular week.

    Raises CalendarError for a country that the package does not know, or no years.
    """
    wanted = sorted(set(years))
    if not wanted:
        raise CalendarError("No years were given: name at least one.")
    try:
        # The neighbours too: a holiday on a weekend at the turn of the year may move a day across it.
        known = holidays.country_holidays(country.upper(), years=range(wanted[0] - 1, wanted[-1] + 2))
    except NotImplementedError:
        raise CalendarError(
            f"The holidays package knows no country {country!r}: use a code of two letters, such as RU."
        ) from None
    worked = {day for day in known.weekend_workdays if day not in known}
    rows = [(day, "", "") for day in known] + [(day, opens_at, closes_at) for day in worked]
    return [(day.isoformat(), opens, closes) for day, opens, closes in sorted(rows) if day.year in wanted]


def as_csv(rows: list[tuple[str, str, str]]) -> str:
    """The text of the seed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    return text.getvalue()
