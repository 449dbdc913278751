"""How long an hourly load looks for what changed among a help-desk's messages, without an index on `change_time`.

    python -m benchmarks.hourly [--rows 1500000] [--runs 5]

A throw-away PostgreSQL gets a table `article` of that many rows, and one of four times as many, with a ticket for each
six. In the last hour, messages of two hundred old tickets were moved. Each way reads the same changes, the ways in
turn, `runs` times:

    by tickets  as an hourly load does: the newest messages, and those of the tickets that changed
    by ids      as a reconciliation and a backfill do: all messages, in pages of the id

Prints medians with the range, the longest statement at the help-desk, and the ratio to the first way; all of one run of
this program.
"""

import argparse
import statistics
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import psycopg

from benchmarks.extraction import FACTOR, fill, running_server
from local import postgres
from retention.settings import load_settings
from retention.sources import entities
from retention.sources.database import DatabaseSource, connect_database

PER_TICKET = 6
CHANGED_TICKETS = 200
TICKETS = """
insert into ticket
    (id, tn, queue_id, user_id, responsible_user_id, ticket_state_id, create_time, create_by, change_time)
select ticket_id, ticket_id, 1, 1, 1, 1, min(create_time), 1, max(change_time) from article group by ticket_id
"""
CHANGE = """
update ticket set change_time = '{now}' where id % {step} = 0;
update article set change_time = '{now}' where ticket_id % {step} = 0;
"""


class Stopwatch(DatabaseSource):
    """A source that keeps the seconds of its longest statement."""

    longest = 0.0

    def rows(self, *arguments, **named):
        started = time.monotonic()
        try:
            return super().rows(*arguments, **named)
        finally:
            self.longest = max(self.longest, time.monotonic() - started)


def change(owner_url: str, rows: int) -> datetime:
    """Give the messages their tickets, and let an hour pass; returns the time after it."""
    now = datetime(2022, 1, 1) + timedelta(minutes=rows)
    step = max(1, rows // PER_TICKET // CHANGED_TICKETS)
    with closing(psycopg.connect(owner_url, autocommit=True)) as connection:
        connection.execute(TICKETS)
        connection.execute(CHANGE.format(now=now, step=step).encode())
        connection.execute("vacuum analyze")
    return now


def measure(server: postgres.Server, folder: Path, rows: int, runs: int) -> None:
    print(f"Medians of {runs}; ratios are to the first way.\n")
    print("| rows | way | rows read | seconds (range) | longest statement | time ratio |")
    print("|---:|---|---:|---|---:|---:|")
    for count in (rows, rows * FACTOR):
        url = fill(server, f"desk_{count}", count)
        now = change(server.url(f"desk_{count}"), count)
        settings = load_settings(folder / "home", sources=["znuny"], znuny_url=url, as_of="2026-01-01")
        (article,) = [entity for entity in entities(settings, "znuny") if entity.name == "article"]
        ways = {"by tickets": article, "by ids": article.read_thoroughly()}
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        read = dict.fromkeys(ways, 0)
        for _ in range(runs):
            for way, entity in ways.items():
                with connect_database(settings, "znuny", kind_of_source=Stopwatch) as source:
                    source.longest, started = 0.0, time.monotonic()
                    source.extract(entity, now - timedelta(hours=3), folder / "rows.parquet", lambda _: None)
                    found[way].append((time.monotonic() - started, source.longest))
                    counted = source.connection.execute(f"select count(*) from '{folder / 'rows.parquet'}'").fetchall()
                    read[way] = counted[0][0]
        base = statistics.median(seconds for seconds, _ in found["by tickets"])
        for way, results in found.items():
            seconds = [taken for taken, _ in results]
            median, longest = statistics.median(seconds), statistics.median(longest for _, longest in results)
            print(
                f"| {count:,} | {way} | {read[way]:,} | {median:.2f} ({min(seconds):.2f}-{max(seconds):.2f}) "
                f"| {longest:.2f} | {median / base:.1f} |",
                flush=True,
            )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_500_000, help="rows of the smaller table (default: 1500000)")
    arguments.add_argument("--runs", type=int, default=5, help="readings of each way and size (default: 5)")
    given = arguments.parse_args()
    with running_server() as (server, folder):
        measure(server, folder, given.rows, given.runs)


if __name__ == "__main__":
    main()
