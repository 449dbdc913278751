"""Running the staging models of a few systems on what has landed, for tests."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

from retention import landing
from retention.settings import Settings
from retention.sources import dbt_vars

ROOT = Path(__file__).parents[2]


def stage(settings: Settings, systems: Sequence[str]) -> Path:
    """Make a build file over the landing zone and run the staging models of `systems` in it; returns the file."""
    settings.home.mkdir(parents=True, exist_ok=True)
    build_file = settings.home / "staged.duckdb"
    build_file.unlink(missing_ok=True)
    with duckdb.connect(str(build_file)) as connection:
        landing.create_landing_views(connection, settings)
    given = {
        "as_of": str(settings.as_of),
        "sources": settings.sources,
        "znuny_timezone": settings.znuny_timezone,
        **dbt_vars(settings),
    }
    command = [
        *(str(Path(sys.executable).parent / "dbt"), "--quiet", "run"),
        *("--select", *(f"path:models/staging/{system}" for system in systems)),
        *("--project-dir", "dbt_project", "--profiles-dir", "dbt_project", "--vars", json.dumps(given)),
        *("--target-path", str(settings.home / "target"), "--log-path", str(settings.home / "logs")),
    ]
    environment = os.environ | {"RETENTION_BUILD_FILE": str(build_file), "RETENTION_SEEDS": "seeds"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return build_file
