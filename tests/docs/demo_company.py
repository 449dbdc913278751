"""The demo company as canonical files, published without Airflow: every mart has something to say."""

import subprocess
import sys
from pathlib import Path

import pytest

from retention.settings import PROJECT_ROOT, Settings, load_settings

AS_OF = "2026-01-01"
CLIENTS = 800
_made: list[Settings] = []


def published(factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with a published build, made once for all folders of tests that ask."""
    if not _made:
        _made.append(publish(factory.mktemp("demo_company"), CLIENTS))
    return _made[0]


def publish(folder: Path, clients: int) -> Settings:
    """Draw the company, export it into `folder`/files, run the pipeline over it into `folder`/home."""
    run("-m", "demo", "generate", "--clients", str(clients), "--as-of", AS_OF, "--home", str(folder / "demo"))
    run("-m", "demo", "export", str(folder / "files"), "--home", str(folder / "demo"))
    home = folder / "home"
    run("-m", "retention.cli", "run", "--files", str(folder / "files"), "--as-of", AS_OF, "--home", str(home))
    return load_settings(home)


def run(*arguments: str) -> None:
    result = subprocess.run([sys.executable, *arguments], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
