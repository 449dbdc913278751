"""The private build: a fresh DuckDB file over the landing zone, filled by dbt as a child process."""

import csv
import ctypes
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from retention import landing
from retention.duck import connect
from retention.lock import writer_lock
from retention.settings import SETTINGS_THAT_ARE_VARS, Settings
from retention.sources import dbt_vars, entities

log = logging.getLogger(__name__)

BUILD_ID_FORMAT = "%Y%m%dT%H%M%S%fZ"
# What each stage asks of dbt. `all` is the first four in one process, which saves three starts of dbt; `check` is what
# it takes to know the broken rows.
STAGES: dict[str, list[str]] = {
    "seed": ["--select", "resource_type:seed"],
    "staging": ["--select", "path:models/staging"],
    "intermediate": ["--select", "path:models/intermediate"],
    "marts": ["--select", "path:models/marts", "path:models/restricted"],
    "all": [],
    "check": ["--select", "resource_type:seed", "path:models/staging"],
}
GATE_PASSED = "marts gate"
# Vars that only the pipeline itself sets, by options of their own.
OWN_VARS = {"as_of", "sources", "system_entities", "sql_sources", "znuny", "bitrix24"}


class BuildError(RuntimeError):
    """The build cannot start or dbt failed. The message names the failed node, its file and what it said."""


@dataclass(frozen=True)
class Build:
    """What the build file in the private folder is, and how far it came."""

    build_id: str
    as_of: str
    fingerprint: str
    vars: dict[str, Any]
    done: list[str] = field(default_factory=list)

    def save(self, settings: Settings) -> None:
        path = _record(settings)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        temporary.replace(path)

    def mark(self, settings: Settings, stage: str) -> None:
        """Record that a stage finished."""
        self.done.append(stage)
        self.save(settings)


def current_build(settings: Settings, build_id: str | None = None) -> Build:
    """The build in the private folder. With `build_id`, raises BuildError when it is not that one (any more)."""
    try:
        build = Build(**json.loads(_record(settings).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BuildError(f"No build has been prepared in {settings.build_dir}: start with `retention build`.") from None
    if build_id and build.build_id != build_id:
        raise BuildError(
            f"The private build file belongs to build {build.build_id} by now, not to {build_id}: another run has "
            f"started meanwhile. Nothing was published; start this run again from its first step."
        )
    return build


def _record(settings: Settings) -> Path:
    return settings.build_dir / "build.json"


# ------------------------------------------------------------------------------------------------------------ inputs


def project_vars(settings: Settings) -> dict[str, Any]:
    """The vars of dbt_project.yml with their defaults: those that `--set` may override."""
    project = yaml.safe_load((settings.dbt_project / "dbt_project.yml").read_text(encoding="utf-8"))
    return {name: value for name, value in project["vars"].items() if name not in OWN_VARS}


def effective_vars(settings: Settings) -> dict[str, Any]:
    """The project's vars with this installation's overrides. Raises BuildError on a name that is not known."""
    known = project_vars(settings)
    unknown = sorted(set(settings.vars) - set(known))
    if unknown:
        raise BuildError(f"Unknown variable {', '.join(unknown)}; known are: {', '.join(sorted(known))}.")
    own = {name: getattr(settings, name) for name in SETTINGS_THAT_ARE_VARS}
    return {**known, **settings.vars, **own, **dbt_vars(settings)}


def resolve_as_of(settings: Settings) -> date:
    """The clock of a build: the pinned day, else the first day that not every enabled source covers whole."""
    covered = {source: landing.complete_until(settings, source) for source in settings.sources}
    missing = [source for source, day in covered.items() if day is None]
    if missing:
        raise BuildError(
            f"Nothing complete has landed from {', '.join(missing)} yet: run `retention extract` first "
            f"(or leave the source out with --source)."
        )
    earliest = min(day for day in covered.values() if day is not None)
    if settings.as_of and settings.as_of > earliest:
        log.warning(
            "as_of is %s, but the landed data is complete only for the days before %s", settings.as_of, earliest
        )
    return settings.as_of or earliest


def fingerprint(settings: Settings, as_of: date) -> str:
    """Hash of everything that the marts are made from: equal fingerprints mean equal marts."""
    digest = hashlib.sha256()
    for source in sorted(settings.sources):
        for entity in entities(settings, source):
            name = entity.name
            for load in landing.loads(settings, source, name) + landing.tombstones(settings, source, name):
                # A load without rows only says that nothing happened; the clock is hashed for itself.
                if load.rows:
                    digest.update(f"{source}/{name}/{load.kind}/{load.load_id}/{load.rows}\n".encode())
    digest.update(json.dumps([as_of.isoformat(), effective_vars(settings), settings.sources], default=str).encode())
    digest.update(f"duckdb {version('duckdb')} dbt {version('dbt-core')}".encode())
    project = settings.dbt_project
    models = [path for folder in ("models", "macros") for path in (project / folder).rglob("*") if path.is_file()]
    for path in sorted([project / "dbt_project.yml", *models]):
        digest.update(str(path.relative_to(project)).encode() + path.read_bytes())
    for name, path in sorted(seed_files(settings).items()):
        digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()


def seed_files(settings: Settings) -> dict[str, Path]:
    """File name -> file of every seed (and their .yml): the project's, with the company's own laid over them.

    The company's own are `<files_dir>/seeds/<seed>.csv`. Raises BuildError on an unknown name or a missing column.
    """
    ours = {path.name: path for path in sorted((settings.dbt_project / "seeds").iterdir()) if path.is_file()}
    folder = settings.files_dir / "seeds" if settings.files_dir else None
    if folder is None or not folder.is_dir():
        return ours
    known = sorted(name.removesuffix(".csv") for name in ours if name.endswith(".csv"))
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix != ".csv" or path.stem not in known:
            raise BuildError(f"{path}: there is no seed of that name to replace. Known are: {', '.join(known)}.")
        gone = [column for column in _header(ours[path.name]) if column not in _header(path)]
        if gone:
            raise BuildError(f"{path}: the column {', '.join(gone)} is missing from the seed {path.stem}.")
        ours[path.name] = path
    return ours


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return [name.strip() for name in next(csv.reader(handle), [])]


# --------------------------------------------------------------------------------------------------------- the build


def prepare(settings: Settings, as_of: date | None = None) -> Build:
    """Make a fresh private build file with the landing views, and lay out the dbt project.

    Whatever an earlier or interrupted build left in the private folder is thrown away.
    """
    with writer_lock(settings):
        day = resolve_as_of(settings.model_copy(update={"as_of": as_of}) if as_of else settings)
        build = Build(_new_build_id(settings), day.isoformat(), fingerprint(settings, day), effective_vars(settings))
        _record(settings).unlink(missing_ok=True)
        for path in settings.build_dir.glob(f"{settings.build_file.name}*"):
            path.unlink()
        with connect(settings.extensions, settings.build_file) as connection:
            settings.build_file.chmod(0o600)
            landing.create_landing_views(connection, settings)
        _lay_out_project(settings)
        build.save(settings)
        return build


def _new_build_id(settings: Settings) -> str:
    """Sortable, and later than every published build even when the clock was set back."""
    moment = datetime.now(UTC)
    newest = max(
        (path.stem.removeprefix("retention_") for path in settings.published.glob("retention_2*Z.duckdb")), default=""
    )
    if newest:
        earlier = datetime.strptime(newest, BUILD_ID_FORMAT).replace(tzinfo=UTC)
        moment = max(moment, earlier + timedelta(microseconds=1))
    return moment.strftime(BUILD_ID_FORMAT)


def _lay_out_project(settings: Settings) -> None:
    """Copy the dbt project, with the company's own seeds laid over its own, to where dbt runs it.

    A copy, because dbt cannot take seeds from a second folder safely: given an absolute seed path it writes the SQL
    that it compiled over the seed itself. A file is written only when different: dbt parses again what is newer.
    """
    files = {
        path.relative_to(settings.dbt_project): path
        for pattern in ("*.yml", "models/**/*", "macros/**/*", "tests/**/*")
        for path in settings.dbt_project.glob(pattern)
        if path.is_file()
    }
    files |= {Path("seeds") / name: path for name, path in seed_files(settings).items()}
    copy = settings.build_project
    for leftover in [path for path in copy.rglob("*") if path.is_file() and path.relative_to(copy) not in files]:
        leftover.unlink()
    for name, path in files.items():
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        target = copy / name
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def run_dbt(settings: Settings, stage: str, build_id: str | None = None) -> float:
    """Run one of STAGES (seeds and models with their data tests) in a child process. Returns the seconds it took.

    Raises BuildError that names the failed nodes. When this process is stopped, so is the child.
    """
    with writer_lock(settings):
        build = current_build(settings, build_id)
        started = datetime.now(UTC)
        # The results of the last call must not be taken for this one's.
        (settings.dbt_target / "run_results.json").unlink(missing_ok=True)
        status, output = _run_child(dbt_command(settings, build, stage), _dbt_environment(settings))
        if status != 0:
            raise BuildError(_explain_failure(settings, stage, output))
        build.mark(settings, stage)
        return (datetime.now(UTC) - started).total_seconds()


def dbt_command(settings: Settings, build: Build, stage: str) -> list[str]:
    """The command line of a stage."""
    given = {**build.vars, "as_of": build.as_of, "sources": settings.sources}
    return [
        str(Path(sys.executable).parent / "dbt"),
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "build",
        *STAGES[stage],
        # Unit tests check the code and belong to its tests; data tests check this data, each in the first stage in
        # which everything that it reads is there.
        *("--exclude-resource-type", "unit_test"),
        *("--indirect-selection", "buildable"),
        *("--vars", json.dumps({name: value for name, value in given.items() if value is not None}, default=str)),
        *("--project-dir", str(settings.build_project)),
        *("--profiles-dir", str(settings.build_project)),
        *("--target-path", str(settings.dbt_target)),
        *("--log-path", str(settings.dbt_logs)),
    ]


def _dbt_environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, "RETENTION_BUILD_FILE": str(settings.build_file)}


def _run_child(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a command in a process group of its own. Returns its exit status and everything it printed."""
    child = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=_die_with_parent(),
    )
    try:
        output, _ = child.communicate()
    except BaseException:
        # SIGTERM becomes an exception in the command line tool and in an Airflow task: take the group along.
        _stop_group(child)
        raise
    return child.returncode, output


def _stop_group(child: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(timeout=5)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux, something to call in the child so that even a kill -9 of the parent ends it."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    set_parent_death_signal = 1

    def call() -> None:
        prctl(set_parent_death_signal, signal.SIGKILL)

    return call


def _explain_failure(settings: Settings, stage: str, output: str) -> str:
    """The failed nodes with their files and messages; when dbt came to no node at all, what it printed."""
    log_file = settings.dbt_logs / "dbt.log"
    try:
        results = json.loads((settings.dbt_target / "run_results.json").read_text(encoding="utf-8"))["results"]
        nodes = json.loads((settings.dbt_target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    except (FileNotFoundError, ValueError):
        results, nodes = [], {}
    failed = [result for result in results if result["status"] in ("error", "fail", "runtime error")]
    if not failed:
        said = [line for line in output.splitlines() if line.strip()][-15:]
        return f"dbt could not run the stage {stage}:\n" + "\n".join(said) + f"\nThe whole log: {log_file}"
    lines = []
    for result in failed[:5]:
        name = result["unique_id"].split(".")[2]
        path = nodes.get(result["unique_id"], {}).get("original_file_path", "")
        message = " ".join((result["message"] or "").split())[:800]
        lines.append(f"{name} ({path or result['unique_id']}): {message}")
    more = f"\nand {len(failed) - 5} more" if len(failed) > 5 else ""
    return f"dbt failed in stage {stage} at " + "\n".join(lines) + more + f"\nThe whole log: {log_file}"
