"""The demo company as canonical files, published without Airflow: every mart has something to say."""

import subprocess
import sys
from pathlib import Path

from retention.settings import PROJECT_ROOT, Settings, load_settings

AS_OF = "2026-01-01"


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
