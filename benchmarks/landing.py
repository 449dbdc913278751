"""What many loads cost those who read the landing zone, and what merging them saves.

    python -m benchmarks.landing [--loads 2000] [--runs 3]

Makes a landing zone with that many loads of one table, ten changed rows each, as hourly loads leave them. Then, each
the median of `runs`, before and after `retention.landing_merge` has put them into one folder:

    one row     landing one more changed row
    views       the landing views of a build, with the list of all loads
    reading     every row through its view

Prints the seconds with their range and the ratios of before to after; all of one run of this program.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from retention import landing, landing_merge, landing_writer
from retention.duck import connect
from retention.settings import Settings, load_settings
from retention.sources import Entity, entities

ROWS = 10
CLIENTS = 5_000  # changed in turn


def land(settings: Settings, entity: Entity, first: int, rows: int) -> None:
    """One load of new names."""
    with connect(settings.extensions) as connection, landing_writer.workspace(settings, entity) as folder:
        raw = folder / "raw.parquet"
        connection.execute(
            f"copy (select (n % {CLIENTS})::varchar as client_key, 'name ' || n as name, '2024-01-01' as registered_at "
            f"from range({first}, {first + rows}) as _(n)) to '{raw}' (format parquet)"
        )
        landing_writer.write_load(
            connection, settings, entity, raw, since=None, now=None, covers_until=None, source_schema={}
        )


def folders(settings: Settings, entity: Entity) -> list[landing.Folder]:
    return landing.folders(settings, entity.source, entity.name, "rows")


def fill(settings: Settings, entity: Entity, count: int) -> None:
    """That many loads: real ones, copied under ids of their own."""
    for number in range(10):
        land(settings, entity, number * ROWS, ROWS)
    real = folders(settings, entity)
    for number in range(count - len(real)):
        origin = real[number % len(real)]
        load_id = landing_writer.new_load_id(settings)
        copy = origin.path.with_name(f"{landing.SINGLE['rows']}{load_id}")
        shutil.copytree(origin.path, copy)
        manifest = json.loads((copy / landing.MANIFEST).read_text(encoding="utf-8"))
        (copy / landing.MANIFEST).write_text(json.dumps(manifest | {"load_id": load_id}), encoding="utf-8")


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(settings: Settings, entity: Entity, runs: int) -> dict[str, list[float]]:
    def views(read: bool) -> None:
        with connect(settings.extensions) as connection:
            landing.create_landing_views(connection, settings)
            if read:
                connection.execute(f"create table rows as select * from landing.files__{entity.name}")

    found: dict[str, list[float]] = {"one row": [], "views": [], "reading": []}
    for run in range(runs):
        # Every run is a process that has read nothing yet.
        landing.read_manifest.cache_clear()
        found["one row"].append(timed(lambda run=run: land(settings, entity, 1_000_000 + run, 1)))  # type: ignore[misc]
        landing.read_manifest.cache_clear()
        found["views"].append(timed(lambda: views(False)))
        landing.read_manifest.cache_clear()
        found["reading"].append(timed(lambda: views(True)))
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--loads", type=int, default=2_000, help="loads of the table (default: 2000)")
    arguments.add_argument("--runs", type=int, default=3, help="measurements of each (default: 3)")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as place:
        settings = load_settings(Path(place) / "home", sources=["files"], files_dir=place, as_of="2026-01-01")
        (entity,) = [entity for entity in entities(settings, "files") if entity.name == "clients"]
        fill(settings, entity, given.loads)
        count = len(folders(settings, entity))
        before = measure(settings, entity, given.runs)
        with connect(settings.extensions) as connection, landing_writer.locked(settings, "files"):
            seconds = timed(lambda: landing_merge.merge_loads(connection, settings, entity))
        left = len(folders(settings, entity))
        after = measure(settings, entity, given.runs)
    print(
        f"{given.loads:,} loads of {ROWS} rows were in {count:,} folders and are in {left:,}; merging took "
        f"{seconds:.2f} s. Medians of {given.runs}.\n"
    )
    print("| what | seconds before (range) | seconds after (range) | ratio |\n|---|---|---|---:|")
    for what, some in before.items():
        first, then = statistics.median(some), statistics.median(after[what])
        cells = [f"{statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f})" for each in (some, after[what])]
        print(f"| {what} | {cells[0]} | {cells[1]} | {first / then:.1f} |")


if __name__ == "__main__":
    main()
