"""What has been written is on the disk before anybody is told of it."""

import os
from pathlib import Path


def fsync(path: Path) -> None:
    """Flush a file, or the entries of a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
