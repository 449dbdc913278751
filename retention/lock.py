"""One writer per home: whoever builds, publishes or rolls back holds this lock."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from retention.settings import Settings

# A process may enter again what it already holds: a run holds the lock over all of its steps, and each takes it too.
_held: dict[Path, int] = {}


class LockError(RuntimeError):
    """Another process is writing to the same home."""


@contextmanager
def writer_lock(settings: Settings) -> Iterator[None]:
    """Hold the home for one writer. Raises LockError, which names the process that holds it.

    The lock is the kernel's and dies with its process, so a killed run never blocks the next one.
    """
    settings.build_dir.mkdir(parents=True, exist_ok=True)
    # The build file holds names and raw rows: nobody but the owner has business in this folder.
    settings.build_dir.chmod(0o700)
    path = settings.build_dir / ".lock"
    if path in _held:
        _held[path] += 1
        try:
            yield
        finally:
            _held[path] -= 1
        return
    # "a+" and not "w": who does not get the lock must still be able to read who has it.
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "another process"
            raise LockError(
                f"{settings.home} is being written by {holder}. Two runs on one home exclude each other: "
                f"wait until it has finished and run again, or give this run another --home."
            ) from None
        handle.truncate(0)
        handle.write(f"process {os.getpid()} (since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)")
        handle.flush()
        _held[path] = 1
        try:
            yield
        finally:
            del _held[path]
            handle.truncate(0)
