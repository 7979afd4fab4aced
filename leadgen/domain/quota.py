"""What one client may send: a rate with a burst, and so much a day; beyond that it waits."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Quota:
    """For each client of one process; leads a second over time, leads at once, and leads and bytes a day (UTC)."""

    rate: int
    burst: int
    daily_leads: int
    daily_bytes: int


@dataclass(slots=True)
class _Used:
    tokens: float
    filled_at: float
    day: int
    leads: int = 0
    size: int = 0


class Quotas:
    """A token bucket and a daily count for each client, in memory: the intake works without Redis."""

    def __init__(self, quota: Quota, clock: Callable[[], float]) -> None:
        """`clock` tells the time of day in seconds since 1970."""
        self._quota = quota
        self._clock = clock
        self._used: dict[str, _Used] = {}

    def wait(self, client_id: str) -> int:
        """The seconds until the client may send a lead, of any size; 0 if it may now."""
        now = self._clock()
        return self._wait(self._of(client_id, now), 0, now)

    def take(self, client_id: str, size: int) -> int:
        """Take one lead of so many bytes and return 0; or take nothing and return the seconds to wait."""
        now = self._clock()
        used = self._of(client_id, now)
        if wait := self._wait(used, size, now):
            return wait
        used.tokens -= 1
        used.leads += 1
        used.size += size
        return 0

    def _wait(self, used: _Used, size: int, now: float) -> int:
        quota = self._quota
        if used.leads >= quota.daily_leads or used.size + size > quota.daily_bytes:
            return ceil((used.day + 1) * DAY_SECONDS - now)
        return ceil((1 - used.tokens) / quota.rate) if used.tokens < 1 else 0

    def _of(self, client_id: str, now: float) -> _Used:
        """What the client has used, with the tokens of the time since its last request."""
        day = int(now // DAY_SECONDS)
        used = self._used.setdefault(client_id, _Used(self._quota.burst, now, day))
        if used.day != day:
            used.day, used.leads, used.size = day, 0, 0
        # The clock may be set back.
        used.tokens = min(self._quota.burst, used.tokens + max(now - used.filled_at, 0) * self._quota.rate)
        used.filled_at = now
        return used
