"""The doorbell over Redis: the caller only sets a flag, and a background thread does the rest.

When Redis does not respond, or no worker takes the job, the thread rings through PostgreSQL and wakes the sweeper.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from redis import RedisError

from leadgen.errors import LeadgenError
from leadgen.jobs.breaker import Breaker
from leadgen.jobs.rq_bell import UNHEARD_SECONDS, RqBell
from leadgen.log import event

# Rings closer together than this become one: a drain takes that long anyway. While rings keep coming the gap
# doubles: a ring costs API and worker milliseconds, and one drain takes everything that waits.
RING_GAP_SECONDS: Final = 0.02
LONGEST_GAP_SECONDS: Final = 0.16
STATUS_KEPT_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 1.0

_DOWN: Final = {"redis": "down", "worker": "down"}

_log = logging.getLogger(__name__)


class RedisDoorbell:
    """The doorbell of one process; satisfies `protocol.Doorbell`.

    `notify` rings through PostgreSQL and may raise LeadgenError; `on_failure` counts rings that Redis rejected.
    """

    def __init__(
        self, redis_url: str, notify: Callable[[], None], on_failure: Callable[[], None] = lambda: None
    ) -> None:
        self._bell = RqBell(redis_url)
        self._breaker = Breaker()
        self._notify = notify
        self._on_failure = on_failure
        self._rung = threading.Event()
        self._look_again = False
        self._closing = False
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._asking = threading.Lock()
        self._status = _DOWN
        self._status_until = 0.0

    def ring(self) -> None:
        self._rung.set()
        # Started here and not in __init__: a thread does not survive the server's fork. After a fork, or if the
        # thread died of an unexpected error, is_alive() is false and the next ring starts another.
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def status(self) -> dict[str, str]:
        """Redis's status now or within the last second; concurrent callers share one answer."""
        with self._asking:
            if time.monotonic() >= self._status_until:
                self._status = self._ask()
                self._status_until = time.monotonic() + STATUS_KEPT_SECONDS
            return dict(self._status)

    def close(self) -> None:
        """Ring once more, for the last commit, and stop."""
        self._closing = True
        self._rung.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
        self._bell.close()

    def _start(self) -> None:
        with self._starting:
            if self._closing or (self._thread is not None and self._thread.is_alive()):
                return
            thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # No thread available: the sweeper finds the intake, and the next ring tries again.
                self._on_failure()
                return
            self._thread = thread

    def _run(self) -> None:
        gap = RING_GAP_SECONDS
        while True:
            # After a ring, check once whether a worker took it: the next ring may be an hour away.
            if self._rung.wait(UNHEARD_SECONDS if self._look_again else None):
                # Cleared before ringing: an intake committed from here on sets it again.
                self._rung.clear()
                self._look_again = self._pass_on(self._bell.ring)
            else:
                self._look_again = False
                self._pass_on(self._bell.heard)
            if self._closing and not self._rung.is_set():
                return
            time.sleep(gap)
            gap = min(gap * 2, LONGEST_GAP_SECONDS) if self._rung.is_set() else RING_GAP_SECONDS

    def _pass_on(self, ask: Callable[[], bool]) -> bool:
        """Return True if Redis has it and a worker seems to listen; otherwise ring through PostgreSQL."""
        if self._redis_serves(ask):
            return True
        try:
            self._notify()
        except LeadgenError as error:
            event(_log, "ring_lost", level=logging.WARNING, reason=str(error))
        return False

    def _redis_serves(self, ask: Callable[[], bool]) -> bool:
        """The bell's answer; False when Redis does not answer."""
        if not self._breaker.closed:
            self._on_failure()
            return False
        try:
            answer = ask()
        except (RedisError, OSError) as error:
            event(_log, "redis_down", level=logging.WARNING, kind=type(error).__name__)
            self._breaker.trip()
            self._on_failure()
            return False
        self._breaker.reset()
        return answer

    def _ask(self) -> dict[str, str]:
        try:
            return {"redis": "ok", "worker": "ok" if self._bell.has_worker() else "down"}
        except (RedisError, OSError):
            return _DOWN
