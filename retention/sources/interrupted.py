"""Going on with a read that was cut off. For systems that hand their rows over slowly, in the order of their ids.

Rows that were read are kept beside the loads of their entity until the read is complete:

    landing/<source>/<entity>/.interrupted/rows.ndjson, about.json

They are no load: nobody but the next attempt at the same read sees them.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

FOLDER = ".interrupted"
# After a day too much has changed meanwhile to be worth going on.
KEPT = timedelta(days=1)


@dataclass
class Attempt:
    """A read as far as it has come: rows of earlier attempts, the greatest id among them, and when the first began."""

    began: datetime
    rows: int
    last_id: int
    path: Path
    handle: TextIO

    @property
    def is_continued(self) -> bool:
        return self.rows > 0

    def write(self, row: dict[str, Any]) -> None:
        self.handle.write(json.dumps(row, ensure_ascii=False) + "\n")


@contextmanager
def attempt(entity_folder: Path, request: str, key: str) -> Iterator[Attempt]:
    """Begin a read, or go on with one of the same `request` (anything that tells what is asked) where it was cut off.

    Rows are written in the order of the whole number `key`. When the block ends well, what was kept is thrown away.
    """
    folder = entity_folder / FOLDER
    about, path = folder / "about.json", folder / "rows.ndjson"
    began, rows, last_id = datetime.now(UTC), 0, 0
    known = _read(about)
    if known and known["request"] == request and began - datetime.fromisoformat(known["began"]) < KEPT:
        began = datetime.fromisoformat(known["began"])
        rows, last_id = _whole_lines(path, key)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        about.write_text(json.dumps({"request": request, "began": began.isoformat()}), encoding="utf-8")
    with path.open("a", encoding="utf-8") as handle:
        yield Attempt(began, rows, last_id, path, handle)
    shutil.rmtree(folder)


def _read(about: Path) -> dict[str, str] | None:
    try:
        return json.loads(about.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _whole_lines(path: Path, key: str) -> tuple[int, int]:
    """Count the rows of a file and cut off a last line that is not whole; returns the count and the greatest key."""
    rows = last_id = end = 0
    if path.exists():
        with path.open("rb") as handle:
            for line in handle:
                if not line.endswith(b"\n"):
                    break
                rows, end, last_id = rows + 1, end + len(line), int(json.loads(line)[key])
        with path.open("rb+") as handle:
            handle.truncate(end)
    return rows, last_id
