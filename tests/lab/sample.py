"""What of the long campaigns a run tries: a part, another one at every commit; all of it with EVERY=1."""

import os
import subprocess
from collections.abc import Sequence
from functools import cache
from typing import TypeVar

from tests.lab.folders import PROJECT

T = TypeVar("T")
QUARTERS = 4
# Of these groups, of about eight minutes each, `make test` runs one at a time, or it would not end within the time
# that continuous integration has. A name stands for all tests that begin so, the longest for its own. There are 7:
# that shares no factor with what else is chosen by the commit's number, so over the commits each meets all of it.
ROTA = (
    {"test_releases.py"},
    {"test_interrupted.py", "test_static_podman.py"},
    {"test_edge.py", "test_backup.py"},
    {"test_changes.py", "test_foundation.py"},
    {"test_releases.py::test_a_release"},
    {"test_redis.py", "test_refusals.py", "test_wording.py"},
    {"test_restore.py", "test_drift.py"},
)


@cache
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


def is_due(test: str) -> bool:
    """Whether `file::test` has its turn; each has where ROTA is not set, as when its file is run by its name."""
    names = [(name, number) for number, group in enumerate(ROTA) for name in group if test.startswith(name)]
    waits = bool(names) and max(names)[1] != turn() % len(ROTA)
    return not os.environ.get("ROTA") or bool(os.environ.get("EVERY")) or not waits
