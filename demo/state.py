"""Where the running company stands: which seed, which size, which day."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path


@dataclass
class State:
    """`as_of` is what the systems show; `advancing_to` is set while they are being brought forward."""

    seed: int
    clients: int
    as_of: str
    advancing_to: str | None = None

    @property
    def day(self) -> date:
        return date.fromisoformat(self.as_of)


class NoCompany(RuntimeError):
    """There is no demo company in this home yet."""


def folder(home: Path) -> Path:
    """The demo's folder of a home."""
    return home / "demo"


def read(home: Path) -> State:
    """The state kept in a home. Raises NoCompany with what to do."""
    path = folder(home) / "state.json"
    if not path.exists():
        raise NoCompany(f"there is no demo company in {folder(home)} yet: run `python -m demo generate` first")
    return State(**json.loads(path.read_text(encoding="utf-8")))


def write(home: Path, state: State) -> None:
    """Keep the state, whole or not at all."""
    path = folder(home) / "state.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, json.dumps(asdict(state), indent=1) + "\n", 0o644)


def pin_clock(home: Path, as_of: date) -> None:
    """Write RETENTION_AS_OF into <home>/retention.env, leaving every other line as it is."""
    path = home / "retention.env"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pinned = f"RETENTION_AS_OF={as_of.isoformat()}"
    kept = [line for line in lines if not line.startswith("RETENTION_AS_OF=")]
    home.mkdir(parents=True, exist_ok=True)
    _replace(path, "\n".join([*kept, pinned]) + "\n", 0o600)


def _replace(path: Path, text: str, mode: int) -> None:
    unfinished = path.with_name(f"{path.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
