"""Where the lab keeps what it makes: everything below one folder that Git does not see."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[2]
HERE = PROJECT / "tests/lab"
LAB = PROJECT / ".lab"
CACHE = LAB / "cache"
PREFIX = "motorcade-lab-"  # of the names of hosts and their folders


@contextmanager
def lock(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Held by the kernel for as long as this process lives, so a crash leaves nothing locked."""
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def lockable(name: str) -> Path:
    """A folder to lock; kept with the cache, because what is locked must not be removed."""
    path = CACHE / "locks" / name
    path.mkdir(parents=True, exist_ok=True)
    return path
