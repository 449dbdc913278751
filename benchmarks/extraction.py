"""How fast a help-desk's messages are extracted, and in how much memory, against two other ways to read the same table.

    python -m benchmarks.extraction [--rows 500000] [--runs 3]

A throw-away PostgreSQL gets a table `article` of that many rows, and one of four times as many. Each way reads it in a
process of its own, the ways in turn, `runs` times:

    connector  `retention extract` of the source znuny: pages of the id, Parquet, checksum, manifest, flushed to disk
    one query  DuckDB copies the same columns to Parquet with a single statement: what pages and the landing zone cost
    rows       psycopg with a server-side cursor, ten thousand rows at a time, into a CSV file
    no news    the connector once more: nothing has changed since

Prints medians with the range, peak memory, and ratios to the connector; all of one run of this program.
"""

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from local import envfile, postgres, processes
from retention.duck import connect, literal, load_extension
from retention.extract import extract_source
from retention.settings import PROJECT_ROOT, load_settings
from retention.sources import entities

WAYS = ("connector", "one query", "rows", "no news")
FACTOR = 4
FILL = """
insert into article (id, ticket_id, article_sender_type_id, communication_channel_id, is_visible_for_customer,
    search_index_needs_rebuild, create_time, create_by, change_time, change_by)
select n, n / 6 + 1, n % 3 + 1, 1, 1, 0, timestamp '2022-01-01' + n * interval '1 minute', n % 90 + 1,
    timestamp '2022-01-01' + n * interval '1 minute', 1
from generate_series(1, {rows}) as n
"""


def read(way: str, url: str, home: Path) -> int:
    """Read the table once, in this process; returns the rows."""
    settings = load_settings(home, sources=["znuny"], znuny_url=url, as_of="2026-01-01")
    if way in ("connector", "no news"):
        return next(landed.read for landed in extract_source(settings, "znuny") if landed.entity == "article")
    (article,) = [entity for entity in entities(settings, "znuny") if entity.name == "article"]
    query = article.query  # type: ignore[attr-defined]
    home.mkdir(parents=True, exist_ok=True)
    if way == "one query":
        with connect(settings.extensions) as connection:
            load_extension(connection, "postgres_scanner")
            connection.execute(f"attach {literal(url)} as source (type postgres, read_only)")
            native = f"select * from postgres_query('source', {literal(query)})"
            copied = connection.execute(f"copy ({native}) to {literal(home / 'article.parquet')} (format parquet)")
            return int(copied.fetchall()[0][0])
    rows = 0
    with psycopg.connect(url) as connection, (home / "article.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        with connection.cursor("benchmark") as cursor:
            cursor.itersize = 10_000
            for row in cursor.execute(query):
                writer.writerow(row)
                rows += 1
    return rows


def measured(way: str, url: str, home: Path) -> dict[str, float]:
    """`rows`, `seconds` (without the start of Python) and peak `mb` of one reading in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.extraction", "--one", way, "--home", str(home)]
    done = subprocess.run(command, env=os.environ | {"BENCHMARK_URL": url}, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def one(way: str, home: Path) -> None:
    started = time.monotonic()
    rows = read(way, os.environ["BENCHMARK_URL"], home)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kilobytes
    print(json.dumps({"rows": rows, "seconds": seconds, "mb": peak / 1024}))


@contextmanager
def running_server() -> Iterator[tuple[postgres.Server, Path]]:
    """A throw-away PostgreSQL, and a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as place:
        folder = Path(place)
        server = postgres.Server(processes.free_port(55_900), envfile.secret())
        postgres.start(folder / "data", server, run=folder, log=folder / "postgres.log", durable=False)
        try:
            yield server, folder
        finally:
            postgres.stop(folder)


def fill(server: postgres.Server, name: str, rows: int) -> str:
    """A help-desk with that many articles; returns the address of its reader."""
    owner, reader, password = f"{name}_owner", f"{name}_reader", envfile.secret()
    for role in (owner, reader):
        postgres.ensure_role(server, role, password)
    postgres.ensure_database(server, name, owner, [reader])
    with closing(psycopg.connect(server.url(name, owner, password), autocommit=True)) as connection:
        connection.execute((PROJECT_ROOT / "demo" / "systems" / "znuny.sql").read_text(encoding="utf-8"))
        connection.execute(FILL.format(rows=rows).encode())
        connection.execute("vacuum analyze article")
    return server.url(name, reader, password)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=500_000, help="rows of the smaller table (default: 500000)")
    arguments.add_argument("--runs", type=int, default=3, help="readings of each way and size (default: 3)")
    arguments.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    arguments.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        one(given.one, given.home)
        return
    with running_server() as (server, folder):
        measure(server, folder, given.rows, given.runs)


def measure(server: postgres.Server, folder: Path, rows: int, runs: int) -> None:
    print(f"Medians of {runs}; ratios are to the connector.\n")
    print("| rows | way | seconds (range) | rows/s | peak MB | time ratio | memory ratio |")
    print("|---:|---|---|---:|---:|---:|---:|")
    for count in (rows, rows * FACTOR):
        url = fill(server, f"desk_{count}", count)
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for run in range(runs):
            for way in WAYS:
                # "no news" goes on where the connector has been.
                home = folder / f"{count}-{run}-{'connector' if way == 'no news' else way}"
                found[way].append(measured(way, url, home))
        for way in WAYS:
            seconds = [result["seconds"] for result in found[way]]
            median, peak = statistics.median(seconds), statistics.median(result["mb"] for result in found[way])
            base = statistics.median(result["seconds"] for result in found["connector"])
            base_peak = statistics.median(result["mb"] for result in found["connector"])
            speed, spread = found[way][0]["rows"] / median, f"{min(seconds):.2f}-{max(seconds):.2f}"
            print(
                f"| {count:,} | {way} | {median:.2f} ({spread}) | {speed:,.0f} | {peak:.0f} | {median / base:.2f} "
                f"| {peak / base_peak:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
