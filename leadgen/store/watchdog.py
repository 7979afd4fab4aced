"""A flusher's watchdog: ends a batch that takes too long, at next to no cost for all the others."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

import psycopg

from leadgen.errors import DatabaseUnavailable
from leadgen.store.connection import Connection, end_work

CANCEL_SECONDS: Final = 4.5  # after every timeout of the server's own, before the client is answered 503
BREAK_SECONDS: Final = 1.5  # after the cancel
POLL_SECONDS: Final = 0.05


class _Work:
    """What a connection does at the moment."""

    __slots__ = ("canceled", "connection", "until")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.until = monotonic() + CANCEL_SECONDS
        self.canceled = False


class Watchdog:
    """Watches one connection at a time. It sleeps from one deadline to the next: a timer per batch is too dear."""

    def __init__(self) -> None:
        self._work: _Work | None = None
        self._begun = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake-watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def watch(self, connection: Connection) -> Iterator[None]:
        """End the block's work on the connection in time, with DatabaseUnavailable."""
        self._work = work = _Work(connection)
        self._begun.set()
        try:
            yield
        except psycopg.Error as error:
            if work.canceled:
                raise DatabaseUnavailable(f"PostgreSQL did not commit within {CANCEL_SECONDS:g} s") from error
            raise
        finally:
            self._work = None

    def close(self) -> None:
        """End the thread; nothing is being watched any more."""
        self._closing.set()
        self._begun.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._begun.wait()
            self._begun.clear()
            while work := self._work:
                if (left := work.until - monotonic()) > 0:
                    self._closing.wait(left)
                else:
                    work.canceled = True
                    end_work(work.connection, lambda seconds: self._ends(work, seconds), BREAK_SECONDS)

    def _ends(self, work: _Work, seconds: float) -> bool:
        """Whether the work ends within these seconds."""
        end = monotonic() + seconds
        while self._work is work and monotonic() < end:
            self._closing.wait(POLL_SECONDS)
        return self._work is not work
