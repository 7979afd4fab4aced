"""What of the long campaigns a run tries: a part, another one at every commit; all of it with EVERY=1."""

import os
import subprocess
from collections.abc import Sequence
from typing import TypeVar

from tests.lab.folders import PROJECT

T = TypeVar("T")
QUARTERS = 4
# Of these groups `make test` runs one at a time, or it would not end within the bound of continuous integration.
ROTA = (
    {"test_releases.py"},
    {"test_interrupted.py", "test_redis.py", "test_static_podman.py"},
    {"test_changes.py", "test_foundation.py", "test_refusals.py"},
)


def turn() -> int:
    """A number that grows by one with every commit, so a run is the same when it is repeated; 0 without Git."""
    words = ["git", "-C", str(PROJECT), "rev-list", "--count", "HEAD"]
    return int(subprocess.run(words, capture_output=True, text=True, check=False).stdout or 0)


def one(of: Sequence[T]) -> Sequence[T]:
    """Another one at every commit."""
    return of if os.environ.get("EVERY") else [of[turn() % len(of)]]


def points(last: int) -> list[int]:
    """Of 1 to `last`, in order; never none."""
    if os.environ.get("EVERY"):
        return list(range(1, last + 1))
    return [point for point in range(1, last + 1) if point % QUARTERS == turn() % QUARTERS] or [last]


def is_due(file: str) -> bool:
    """Whether a file of tests has its turn; each has where ROTA is not set, as when it is run by its name."""
    waiting = set().union(*ROTA) - ROTA[turn() % len(ROTA)]
    return not os.environ.get("ROTA") or bool(os.environ.get("EVERY")) or file not in waiting
