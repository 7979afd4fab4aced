"""The free space on the database's disk, which PostgreSQL itself cannot tell."""

import os
from pathlib import Path
from typing import Final

LEAST_FREE: Final = 0.10  # of the disk: enough for the write-ahead log, vacuum and the operator's way out


def is_scarce(path: Path | None) -> bool:
    """Whether the disk of that path is nearly full; False if none is given."""
    if path is None:
        return False
    disk = os.statvfs(path)
    return disk.f_bavail < disk.f_blocks * LEAST_FREE
