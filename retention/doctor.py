"""`retention doctor`: looks at everything of an installation but the source systems, and says what to mend.

Nothing is changed. The source systems are tried by `retention check`.
"""

import fcntl
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import duckdb

from retention import build, dashboards, landing, publish
from retention.duck import connect, load_extension
from retention.findings import Finding, good, warning, wrong
from retention.settings import Settings
from retention.sources import entities

GIGABYTE = 10**9
# A build needs room for itself, its copy and the builds that are kept.
LITTLE_ROOM, NO_ROOM = 10 * GIGABYTE, GIGABYTE
# A source that has not landed for longer than this holds `as_of` back for everybody.
STALE_DAYS = 2
PACKAGES = ("apache-airflow", "dbt-core", "dbt-duckdb", "duckdb", "great-expectations")


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, the programs first, what readers see last. A look that fails is a finding and stops no other."""
    looks: tuple[tuple[str, Callable[[Settings], Iterable[Finding]]], ...] = (
        ("programs", _programs),
        ("home", _home),
        ("settings", _configuration),
        ("sources", _mappings),
        ("expectations", _suites),
        ("landing zone", _landing),
        ("sources", _sources),
        ("build", _build),
        ("published", _published),
        ("Superset", _superset),
        ("alerts", _alerts),
    )
    for subject, look in looks:
        try:
            yield from look(settings)
        except (RuntimeError, ValueError, OSError, duckdb.Error) as error:
            yield wrong(subject, str(error))


def _programs(settings: Settings) -> Iterator[Finding]:
    missing = []
    for name in PACKAGES:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield wrong("programs", f"not installed: {', '.join(missing)}. `make venvs` installs everything.")
    else:
        yield good("programs", ", ".join(f"{name} {version(name)}" for name in PACKAGES))
    dbt = Path(sys.executable).parent / "dbt"
    answer = subprocess.run([dbt, "--version"], capture_output=True, text=True) if dbt.exists() else None
    if answer is None or answer.returncode:
        said = answer.stderr.strip()[-300:] if answer else f"{dbt} is not there"
        yield wrong("dbt", f"it does not start: {said}. `make venvs` installs it anew.")
    else:
        yield good("dbt", "it starts")
    with tempfile.TemporaryDirectory(prefix="retention-doctor-") as folder, connect(Path(folder)) as connection:
        for name in ("postgres_scanner", "mysql_scanner"):
            load_extension(connection, name)
    yield good("DuckDB", "its extensions for PostgreSQL and MySQL load")


def _home(settings: Settings) -> Iterator[Finding]:
    home = settings.home
    if not home.exists():
        yield warning("home", f"{home} does not exist yet; the first `retention run` makes it")
        return
    with tempfile.NamedTemporaryFile(dir=home):
        yield good("home", f"{home} can be written")
    free = shutil.disk_usage(home).free
    room = f"{free / GIGABYTE:.0f} GB are free on its disk"
    if free < NO_ROOM:
        yield wrong("disk", f"{room}: the next build will not fit. Make room; `keep_builds` says how many are kept.")
    elif free < LITTLE_ROOM:
        yield warning("disk", f"{room}: make room before it is full")
    else:
        yield good("disk", room)
    private = (settings.landing, settings.build_dir, home / "retention.env", settings.restricted_file)
    present = [path for path in private if path.exists()]
    readable = [path for path in present if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    if readable:
        names = ", ".join(str(path) for path in readable)
        yield wrong("permissions", f"others may read {names}: names and secrets are in there. Run chmod go= on them.")
    else:
        yield good("permissions", "raw rows, names and secrets are readable by their owner only")


def _configuration(settings: Settings) -> Iterator[Finding]:
    build.effective_vars(settings)
    own = [path for path in build.seed_files(settings).values() if settings.dbt_project not in path.parents]
    yield good("settings", f"valid; {len(settings.vars)} variables and {len(own)} seeds of your own")
    yield good("clock", f"company days are those of {settings.company_timezone}")
    if settings.as_of:
        yield warning("clock", f"RETENTION_AS_OF pins it to {settings.as_of}: newer data does not count")


def _mappings(settings: Settings) -> Iterator[Finding]:
    for source in settings.sources:
        count = sum(entity.is_there for entity in entities(settings, source))
        yield good(f"source {source}", f"{count} tables are read from it")


def _suites(settings: Settings) -> Iterator[Finding]:
    from retention import quality

    variables = build.effective_vars(settings)
    counts = {
        boundary: len(quality.load_suites(settings.expectations, boundary, variables))
        for boundary in ("landing", "marts")
    }
    yield good("expectations", f"{counts['landing']} suites on the landing zone, {counts['marts']} on the marts")


def _landing(settings: Settings) -> Iterator[Finding]:
    damaged = landing.verify(settings)
    if damaged:
        yield from (wrong("landing zone", text) for text in damaged)
    else:
        yield good("landing zone", "every file has the checksum of its manifest")


def _sources(settings: Settings) -> Iterator[Finding]:
    today = settings.as_of or datetime.now(settings.zone).date()
    for source in settings.sources:
        until = landing.complete_until(settings, source)
        if until is None:
            yield warning(source, f"not everything of it has landed yet: retention extract --source {source}")
        elif (today - until).days > STALE_DAYS:
            yield warning(
                source,
                f"complete only for the days before {until}, and holds everybody's numbers back to that day: "
                f"retention check --source {source} says what is wrong with it",
            )
        else:
            yield good(source, f"complete for every day before {until}")


def _build(settings: Settings) -> Iterator[Finding]:
    lock = settings.build_dir / ".lock"
    if not lock.exists():
        yield good("build", "none has been made yet")
        return
    with lock.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield good("build", f"{handle.read().strip() or 'a process'} is building now")
        else:
            yield good("build", "nobody is building now")


def _published(settings: Settings) -> Iterator[Finding]:
    link = settings.published_file
    if not link.is_symlink():
        yield warning("published", "nothing is published yet: retention run")
        return
    if not link.exists():
        yield wrong("published", f"{link} points at a build that is gone. `retention rollback` names the kept ones.")
        return
    (current,) = [kept for kept in publish.builds(settings) if kept.is_current]
    with connect(settings.extensions, link, read_only=True) as connection:
        row = connection.execute("select count(*) from duckdb_tables() where schema_name = 'marts'").fetchone()
    age = (datetime.now(UTC).date() - date.fromisoformat(current.as_of)).days
    text = f"build {current.build_id}, {row[0] if row else 0} marts, data up to {current.as_of}"
    if age > STALE_DAYS and not settings.as_of:
        yield warning("published", f"{text}: that is {age} days ago; see the DAG build_warehouse, or run retention run")
    else:
        yield good("published", text)


def _superset(settings: Settings) -> Iterator[Finding]:
    if settings.superset_url is None:
        yield warning("Superset", "not configured: RETENTION_SUPERSET_URL, _USER and _PASSWORD; `make up` sets them")
        return
    names = dashboards.databases(settings)
    missing = [name for name in ("Retention", "Retention, restricted") if name not in names]
    if missing:
        yield warning("Superset", f"has no database {', '.join(missing)} yet: run the DAG refresh_dashboards")
    else:
        yield good("Superset", f"answers at {settings.superset_url}, with both databases")


def _alerts(settings: Settings) -> Iterator[Finding]:
    if settings.notify:
        channels = sorted({channel.partition(":")[0] for channel in settings.notify})
        yield good("alerts", f"failures are told by {', '.join(channels)}")
    else:
        yield warning("alerts", "nobody is told of a failed DAG: set RETENTION_NOTIFY (dags/README.md)")
