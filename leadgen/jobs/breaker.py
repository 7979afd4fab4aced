"""A circuit breaker: leaves a failed server alone for a growing, bounded time."""

from collections.abc import Callable
from time import monotonic
from typing import Final

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0  # the longest delay before a recovered server is noticed


class Breaker:
    """Closed: use the server. Open after a failure: do not use it until the pause is over."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._pause = FIRST_PAUSE_SECONDS
        self._open_until = 0.0

    @property
    def closed(self) -> bool:
        return self._clock() >= self._open_until

    def trip(self) -> None:
        """The server failed: leave it alone, for twice as long as last time."""
        self._open_until = self._clock() + self._pause
        self._pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2)

    def reset(self) -> None:
        """The server answered."""
        self._pause = FIRST_PAUSE_SECONDS
        self._open_until = 0.0
