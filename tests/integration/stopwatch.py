"""How long something takes, on a machine that may do other things too."""

import time
from collections.abc import Callable

TRIES = 5


def took(act: Callable[[], object]) -> float:
    """The seconds that it takes."""
    start = time.monotonic()
    act()
    return time.monotonic() - start


def quickest(bound: float, measure: Callable[[], float]) -> float:
    """The shortest of some tries, the last of which is the first within the bound.

    A busy machine makes one try slow; a wait of our own makes all of them slow.
    """
    shortest = measure()
    for _ in range(TRIES - 1):
        if shortest < bound:
            break
        shortest = min(shortest, measure())
    return shortest
