"""Merging many small loads of the landing zone into few folders, so that a year of hourly loads is quick to read.

Nothing is lost by it: every row stays as it landed, with the load that brought it, and every manifest is kept.
"""

import logging
import shutil
import time
from typing import Any

import duckdb

from retention import landing_writer
from retention.duck import literal
from retention.landing import MANIFEST, MERGED, PART, TEMPORARY, Folder, check_files, folders, parts_sql, replaced
from retention.settings import Settings
from retention.sources.entity import Entity, SourceError

log = logging.getLogger(__name__)

# Fewer folders than this are quick to read.
MANY = 32
# A merged folder with more rows than this is only rewritten together with at least as many newer ones: however long a
# warehouse lives, a row is rewritten a few times, not once a day.
SMALL = 10_000
# A build reads the folders that it found when it began. Less than a day, for who merges daily must also remove daily.
GRACE_SECONDS = 20 * 60 * 60


def merge_loads(connection: duckdb.DuckDBPyConnection, settings: Settings, entity: Entity) -> None:
    """Merge the newest loads of an entity when they have become many, and remove what was merged a day ago.

    The caller holds the lock of the source.
    """
    for kind in ("rows", "deleted"):
        for path, merged in replaced(settings, entity.source, entity.name, kind):
            if time.time() - (merged / MANIFEST).stat().st_mtime > GRACE_SECONDS:
                # Under a name that is swept, should this be interrupted.
                leftover = path.with_name(f"{TEMPORARY}{path.name}")
                path.rename(leftover)
                shutil.rmtree(leftover)
        newest = _newest_alike(folders(settings, entity.source, entity.name, kind))
        if len(newest) >= MANY:
            _merge(connection, settings, entity, kind, newest)


def _newest_alike(every: list[Folder]) -> list[Folder]:
    """The longest row of newest folders that is worth rewriting and has one shape, oldest first.

    Values of another type would be rewritten as text, and of ids that fell back there is no first and last: folders
    that differ in the one or overlap in the other are left as they are.
    """
    taken: list[Folder] = []
    rows, shape = 0, None
    for folder in reversed(every):
        shapes = [load.manifest["schema"] for load in folder.loads if load.rows]
        shape = shape or next(iter(shapes), None)
        is_large = folder.is_merged and folder.rows > max(SMALL, rows)
        overlaps = taken and folder.last >= taken[-1].first
        if is_large or overlaps or any(other != shape for other in shapes):
            break
        taken.append(folder)
        rows += folder.rows
    return taken[::-1]


def _merge(
    connection: duckdb.DuckDBPyConnection, settings: Settings, entity: Entity, kind: str, some: list[Folder]
) -> None:
    for one in some:
        # What is wrong now would look right afterwards.
        check_files(one, thoroughly=True)
    with landing_writer.workspace(settings, entity) as folder:
        part = folder / PART
        filled = [one for one in some if one.rows] or some[:1]
        connection.execute(
            f"copy (select * from ({parts_sql(filled)})) to {literal(part)} (format parquet, compression zstd)"
        )
        rows = landing_writer.count_rows(connection, part)
        if rows != sum(one.rows for one in some):
            raise SourceError(
                f"{entity.label}: {len(some)} folders of loads have {rows:,} rows, and their manifests speak of "
                f"{sum(one.rows for one in some):,}. They were not merged; `retention doctor` names damaged files."
            )
        loads = [load for one in some for load in one.loads]
        manifest = {
            "format": 1,
            "kind": kind,
            "files": [landing_writer.described(part, rows)],
            "loads": _differences([load.manifest for load in loads]),
        }
        landing_writer.seal(folder, manifest, folder.parent / f"{MERGED[kind]}{some[0].first}--{some[-1].last}")
    log.info("%s.%s: merged %s loads (%s) into one folder", entity.source, entity.name, len(loads), kind)


def _differences(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each manifest without what is as in the one before it: most is, and a year has thousands."""
    before: dict[str, Any] = {}
    differences = []
    for manifest in manifests:
        differences.append({name: value for name, value in manifest.items() if before.get(name, ...) != value})
        before = manifest
    return differences
