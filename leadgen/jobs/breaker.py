"""A circuit breaker: leaves a server that failed alone for a while that grows, within bounds."""

from collections.abc import Callable
from time import monotonic
from typing import Final

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0  # bounds how late a server that came back is noticed


class Breaker:
    """Closed: use the server. Open after a failure: do not, until the pause is over."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._pause = FIRST_PAUSE_SECONDS
        self._open_until = 0.0

    @property
    def closed(self) -> bool:
        return self._clock() >= self._open_until

    def trip(self) -> None:
        """The server failed: leave it alone, twice as long as the last time."""
        self._open_until = self._clock() + self._pause
        self._pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2)

    def reset(self) -> None:
        """The server answered."""
        self._pause = FIRST_PAUSE_SECONDS
        self._open_until = 0.0
