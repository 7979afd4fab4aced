"""The free space on the database's disk, which PostgreSQL itself cannot tell."""

import logging
import os
from pathlib import Path
from typing import Final

from leadgen.log import event

_log: Final = logging.getLogger(__name__)

LEAST_FREE: Final = 0.10  # of the disk: enough for the write-ahead log, vacuum and the operator's way out


def is_scarce(path: Path | None) -> bool:
    """Whether the disk of that path is nearly full; False if none is given."""
    if path is None:
        return False
    try:
        disk = os.statvfs(path)
    except OSError as error:  # without a measurement, submissions are accepted
        event(_log, "disk_not_measured", level=logging.WARNING, reason=error.strerror)
        return False
    return disk.f_bavail < disk.f_blocks * LEAST_FREE
