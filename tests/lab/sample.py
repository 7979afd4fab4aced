"""Which points of a long campaign a run tries: one in four, another quarter at every commit; all with EVERY=1."""

import os
import subprocess
from collections.abc import Sequence
from typing import TypeVar

from tests.lab.folders import PROJECT

T = TypeVar("T")
QUARTERS = 4


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
