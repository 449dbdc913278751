"""Publishing: copy the marts of a build that passed into a file of its own, and swap a symlink onto it.

    published/retention_<build_id>.duckdb              schema `marts`, and `meta.build`: what this build is
    published/retention_restricted_<build_id>.duckdb   schema `restricted`: names of people and companies (mode 0600)
    published/retention.duckdb, retention_restricted.duckdb    symlinks to the current build

Readers open the symlinks. A reader that is busy during a swap finishes on the file it has open.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from retention.build import GATE_PASSED, Build, current_build
from retention.disk import fsync
from retention.duck import connect, literal, quote
from retention.lock import writer_lock
from retention.settings import Settings

TEMPORARY = ".tmp-"
# Written by a rollback: the builds up to this one are known and were left on purpose.
HELD = "held.json"


class PublishError(RuntimeError):
    """A build cannot be published or pointed at. What readers see has not changed."""


@dataclass(frozen=True)
class Published:
    """A published build, as its own `meta.build` describes it."""

    build_id: str
    as_of: str
    fingerprint: str
    published_at: datetime
    is_current: bool


# ----------------------------------------------------------------------------------------------------------- reading


def current_id(settings: Settings) -> str | None:
    """Id of the build that readers see, None before the first."""
    link = settings.published_file
    if not link.is_symlink() or not link.exists():
        return None
    return link.readlink().stem.removeprefix("retention_")


def builds(settings: Settings) -> list[Published]:
    """All kept builds, oldest first."""
    now = current_id(settings)
    found = []
    for build_id in _kept_ids(settings):
        with connect(settings.extensions, _marts_file(settings, build_id), read_only=True) as connection:
            row = connection.execute(
                "select build_id, as_of::varchar, fingerprint, published_at from meta.build"
            ).fetchone()
        if row:
            found.append(Published(row[0], row[1], row[2], row[3], is_current=row[0] == now))
    return found


def unchanged_since(settings: Settings, fingerprint: str) -> Published | None:
    """The published build that has this fingerprint already, so that building again would change nothing.

    That is the current one or, after a rollback, the one that was rolled back from: publishing it again by itself
    would undo what a person decided.
    """
    known = builds(settings)
    candidates = [build for build in known if build.is_current]
    held = _held(settings)
    if held:
        candidates += [build for build in known if build.build_id == held]
    return next((build for build in candidates if build.fingerprint == fingerprint), None)


def _kept_ids(settings: Settings) -> list[str]:
    return sorted(path.stem.removeprefix("retention_") for path in settings.published.glob("retention_2*Z.duckdb"))


def _marts_file(settings: Settings, build_id: str) -> Path:
    return settings.published / f"retention_{build_id}.duckdb"


def _names_file(settings: Settings, build_id: str) -> Path:
    return settings.published / f"retention_restricted_{build_id}.duckdb"


def _held(settings: Settings) -> str | None:
    try:
        return str(json.loads((settings.published / HELD).read_text(encoding="utf-8"))["newest"])
    except FileNotFoundError:
        return None


# ---------------------------------------------------------------------------------------------------------- writing


def publish(settings: Settings, build_id: str | None = None) -> Published:
    """Publish the private build, which must have passed the gate on its marts.

    Raises PublishError when it has not, or when a copy does not hold the rows of its original.
    """
    with writer_lock(settings):
        build = current_build(settings, build_id)
        if GATE_PASSED not in build.done:
            raise PublishError(
                f"Build {build.build_id} has not passed the gate on its marts: only a build that passed is published."
            )
        settings.published.mkdir(parents=True, exist_ok=True)
        _sweep(settings)
        published_at = datetime.now(UTC)
        _checkpoint(settings)
        marts = _copy(settings, build, "marts", _marts_file(settings, build.build_id), published_at)
        names = _copy(settings, build, "restricted", _names_file(settings, build.build_id), published_at)
        # Names first: a mart never refers to a client whose name is not there yet.
        _point(settings.restricted_file, names)
        _point(settings.published_file, marts)
        (settings.published / HELD).unlink(missing_ok=True)
        _prune(settings)
        return Published(build.build_id, build.as_of, build.fingerprint, published_at, is_current=True)


def rollback(settings: Settings, build_id: str | None = None) -> Published:
    """Point readers at another kept build: the one before the current, or `build_id` (which may be a later one)."""
    with writer_lock(settings):
        kept = _kept_ids(settings)
        now = current_id(settings)
        if now is None:
            raise PublishError(f"Nothing has been published in {settings.published} yet.")
        if build_id is None:
            earlier = [name for name in kept if name < now]
            if not earlier:
                raise PublishError(f"{now} is the oldest build that is kept: there is nothing to roll back to.")
            build_id = earlier[-1]
        if build_id not in kept:
            raise PublishError(f"There is no build {build_id}. Kept are: {', '.join(kept)}.")
        if build_id == kept[-1]:
            (settings.published / HELD).unlink(missing_ok=True)
        else:
            _write(settings.published / HELD, json.dumps({"newest": kept[-1]}))
        if _names_file(settings, build_id).exists():
            _point(settings.restricted_file, _names_file(settings, build_id))
        _point(settings.published_file, _marts_file(settings, build_id))
        return next(build for build in builds(settings) if build.is_current)


def _sweep(settings: Settings) -> None:
    """Remove what a killed publish left: temporary files, and complete copies that readers were never pointed at."""
    for leftover in settings.published.glob(f"{TEMPORARY}*"):
        leftover.unlink()
    now, held = current_id(settings), _held(settings)
    if now is None:
        # The link was lost: every build that is here may be the one to go back to.
        return
    newest_known = max(filter(None, (now, held)))
    if _names_file(settings, now).exists():
        # A publish killed between its two swaps left the names on a build that is swept here.
        _point(settings.restricted_file, _names_file(settings, now))
    for pattern in ("retention_2*Z.duckdb", "retention_restricted_2*Z.duckdb"):
        for path in settings.published.glob(pattern):
            if path.stem.rsplit("_", 1)[-1] > newest_known:
                path.unlink()


def _checkpoint(settings: Settings) -> None:
    with connect(settings.extensions, settings.build_file) as connection:
        connection.execute("checkpoint")


def _copy(settings: Settings, build: Build, schema: str, final: Path, published_at: datetime) -> Path:
    """Copy the tables of a schema into a new file, verify their rows and bring them to disk."""
    temporary = final.with_name(TEMPORARY + final.name)
    # A mask and not a later chmod: a file with names must not be open to others for a moment either.
    previous_mask = os.umask(0o077 if schema == "restricted" else 0o022)
    try:
        with connect(settings.extensions) as connection:
            connection.execute(f"attach {literal(settings.build_file)} as build (read_only)")
            connection.execute(f"attach {literal(temporary)} as published")
            connection.execute(f"create schema published.{quote(schema)}")
            tables = [
                row[0]
                for row in connection.execute(
                    "select table_name from duckdb_tables() "
                    "where database_name = 'build' and schema_name = ? order by 1",
                    [schema],
                ).fetchall()
            ]
            if not tables:
                raise PublishError(f"The build has no tables in schema {schema}: dbt did not run to its end.")
            for table in tables:
                _copy_table(connection, schema, table)
            _describe_build(connection, build, published_at)
            connection.execute("checkpoint published")
            connection.execute("detach published")
    finally:
        os.umask(previous_mask)
    fsync(temporary)
    temporary.replace(final)
    fsync(final.parent)
    return final


def _copy_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> None:
    source, target = f"build.{quote(schema)}.{quote(table)}", f"published.{quote(schema)}.{quote(table)}"
    connection.execute(f"create table {target} as from {source}")
    there, here = (connection.execute(f"select count(*) from {name}").fetchone() for name in (source, target))
    if there != here:
        raise PublishError(
            f"{schema}.{table} has {there} rows in the build and {here} in its copy: nothing was published."
        )
    comments = connection.execute(
        "select null, comment from duckdb_tables() "
        "where database_name = 'build' and schema_name = $1 and table_name = $2 "
        "union all select column_name, comment from duckdb_columns() "
        "where database_name = 'build' and schema_name = $1 and table_name = $2",
        [schema, table],
    ).fetchall()
    for column, comment in comments:
        if comment:
            thing = f"column {target}.{quote(column)}" if column else f"table {target}"
            connection.execute(f"comment on {thing} is {literal(comment)}")


def _describe_build(connection: duckdb.DuckDBPyConnection, build: Build, published_at: datetime) -> None:
    versions = {name: version(name) for name in ("duckdb", "dbt-core", "dbt-duckdb", "great-expectations")}
    given: list[Any] = [
        build.build_id,
        build.as_of,
        build.fingerprint,
        published_at,
        json.dumps(build.vars, default=str),
        json.dumps(versions),
    ]
    connection.execute("create schema published.meta")
    connection.execute(
        "create table published.meta.build (build_id varchar, as_of date, fingerprint varchar, "
        "published_at timestamptz, vars varchar, versions varchar)"
    )
    connection.execute("insert into published.meta.build values (?, ?, ?, ?, ?, ?)", given)


def _point(link: Path, target: Path) -> None:
    """Swap a symlink in one step. Readers hold no lock on a name, so none of them sees it missing."""
    temporary = link.with_name(TEMPORARY + link.name)
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target.name)
    temporary.replace(link)
    fsync(link.parent)


def _prune(settings: Settings) -> None:
    """Keep the last `keep_builds`. The names go first, so that no names outlive their marts."""
    for build_id in _kept_ids(settings)[: -settings.keep_builds]:
        if build_id != current_id(settings):
            _names_file(settings, build_id).unlink(missing_ok=True)
            _marts_file(settings, build_id).unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(TEMPORARY + path.name)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
