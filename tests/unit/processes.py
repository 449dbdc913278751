"""What tests ask about processes."""

from contextlib import suppress
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has asked about (state Z) does not."""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False
