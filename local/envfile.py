"""Reads and writes `<home>/retention.env`: the generated settings and secrets of one local stack."""

import os
import secrets
from pathlib import Path

HEADER = """\
# Made at the first start and kept: settings and secrets of this local stack. Readable by its owner only.
# RETENTION_* lines are read by the retention program, LOCAL_* lines by `python -m local`.
"""


def read(path: Path) -> dict[str, str]:
    """Return the `NAME=value` lines of the file; an absent file is empty."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}


def update(path: Path, values: dict[str, str | None]) -> dict[str, str]:
    """Set (or with None remove) values, keep all others, return the whole. The file is swapped whole, 0600."""
    merged = {name: value for name, value in {**read(path), **values}.items() if value is not None}
    text = HEADER + "".join(f"{name}={_quoted(value)}\n" for name, value in merged.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    # The mode is given at creation: a secret must not be readable for even a moment.
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return merged


def secret(length: int = 24) -> str:
    """Return a new secret of letters, digits, `-` and `_`: safe in a URL, in a shell and in an ini file."""
    return secrets.token_urlsafe(length)


def _quoted(value: str) -> str:
    return f"'{value}'" if any(mark in value for mark in ' "#') else value
