"""Group commit: requests that arrive together share one statement, one commit and one flush to disk.

A request hands its intake over and waits. A few flushers, each with its own connection, take all that is waiting
at the moment they are free, so batches grow with the load and an idle system waits for nobody. What a batch cannot
do without harming its neighbours (a row at fault, a key held by somebody else) the request then does alone.

Plain threads: under gunicorn's gevent worker they are greenlets.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

import psycopg

from leadgen.errors import DatabaseUnavailable, IdempotencyKeyHeld, LeadgenError, UnsafeDurability
from leadgen.log import event
from leadgen.store import faults
from leadgen.store.connection import Connection, Database, Limits, assert_durable, connect
from leadgen.store.intakes import Intake, Receipt, accept, lock_tables

PATIENCE_SECONDS: Final = 5.0  # what a client waits for a commit before it is told 503
MOST_ROWS: Final = 256  # a batch's size: past this the commit's cost is shared well enough
FLUSHERS: Final = 2  # one gathers while the other's commit is on its way to disk
RETRY_SECONDS: Final = 0.1
_ALONE_SECONDS: Final = Limits().lock_ms / 1_000
# A row that waits for a lock must not hold its batch up; alone it may wait for as long as Limits() says.
_BATCH_LIMITS: Final = Limits(lock_ms=100, statement_ms=4_000)

_log = logging.getLogger(__name__)


class _Waiting:
    """An intake between a request and a flusher. With neither receipt nor error it has to be written alone."""

    __slots__ = ("deadline", "error", "intake", "receipt", "settled")

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.deadline = monotonic() + PATIENCE_SECONDS
        self.settled = threading.Event()
        self.receipt: Receipt | None = None
        self.error: LeadgenError | None = None


class IntakeWriter:
    """Writes the intakes of one process; make it after fork."""

    def __init__(self, url: str, database: Database, *, observe: Callable[[int], None]) -> None:
        self._url = url
        self._database = database
        self._observe = observe
        self._waiting: deque[_Waiting] = deque()
        self._arrived = threading.Condition()
        self._closing = False
        self._flushers = [
            threading.Thread(target=self._run, name=f"intake-flusher-{number}", daemon=True)
            for number in range(FLUSHERS)
        ]
        for flusher in self._flushers:
            flusher.start()

    def write(self, intake: Intake) -> Receipt:
        """Return when the intake, or the earlier one of its key, is committed.

        Raises DatabaseUnavailable (the outcome is then unknown, the same key finds it out) or
        IdempotencyKeyHeld.
        """
        waiting = _Waiting(intake)
        with self._arrived:
            self._waiting.append(waiting)
            self._arrived.notify()
        if not waiting.settled.wait(PATIENCE_SECONDS):
            raise DatabaseUnavailable(f"no commit within {PATIENCE_SECONDS:g} s")
        if waiting.error is not None:
            raise waiting.error
        return waiting.receipt or self._write_alone(waiting)

    def close(self) -> None:
        """Commit what is waiting, then stop."""
        with self._arrived:
            self._closing = True
            self._arrived.notify_all()
        for flusher in self._flushers:
            flusher.join(PATIENCE_SECONDS)

    def _run(self) -> None:
        connection: Connection | None = None
        while batch := self._take():
            try:
                connection = connection or self._connect()
                self._flush(connection, batch)
            except Exception as error:  # noqa: BLE001 - a flusher that dies leaves every later request waiting
                connection = self._recover(error, connection, batch)
        if connection is not None:
            connection.close()

    def _take(self) -> list[_Waiting]:
        """All that is waiting, up to a batch; empty only at the end."""
        with self._arrived:
            while not self._waiting and not self._closing:
                self._arrived.wait()
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_ROWS))]

    def _flush(self, connection: Connection, batch: list[_Waiting]) -> None:
        receipts = accept(connection, [waiting.intake for waiting in batch])
        self._observe(len(batch))
        for waiting in batch:
            waiting.receipt = receipts.get(waiting.intake.intake_id)
            waiting.settled.set()

    def _recover(
        self, error: Exception, connection: Connection | None, batch: list[_Waiting]
    ) -> Connection | None:
        """Decide what a failed batch means for its rows; returns the connection if it is still good."""
        if isinstance(error, UnsafeDurability):
            _settle(batch, error)
        elif isinstance(error, psycopg.OperationalError | DatabaseUnavailable) and not faults.is_crowd(error):
            event(_log, "flush_failed", level=logging.WARNING, rows=len(batch), kind=type(error).__name__)
            self._put_back(batch)
        else:
            _settle(batch, None)
            return connection
        if connection is not None:
            connection.close()
        return None

    def _put_back(self, batch: list[_Waiting]) -> None:
        """Try again while somebody waits: for a row that was committed after all, the insert is a no-op."""
        threading.Event().wait(RETRY_SECONDS)
        now = monotonic()
        with self._arrived:
            self._waiting.extendleft(waiting for waiting in reversed(batch) if waiting.deadline > now)

    def _connect(self) -> Connection:
        connection = connect(self._url, "api-writer", _BATCH_LIMITS)
        try:
            assert_durable(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _write_alone(self, waiting: _Waiting) -> Receipt:
        while waiting.deadline - monotonic() > _ALONE_SECONDS:
            with self._database.connection() as connection:
                if receipt := _accept_alone(connection, waiting.intake):
                    return receipt
        raise DatabaseUnavailable(f"no commit within {PATIENCE_SECONDS:g} s")


def _accept_alone(connection: Connection, intake: Intake) -> Receipt | None:
    """One intake in a transaction of its own; None when the writer that it waited for rolled back."""
    with connection.transaction():
        lock_tables(connection)
        try:
            return accept(connection, [intake]).get(intake.intake_id)
        except psycopg.errors.LockNotAvailable as error:
            raise IdempotencyKeyHeld from error


def _settle(batch: list[_Waiting], error: LeadgenError | None) -> None:
    """Wake the requests of a batch: to report the error, or without one to write alone."""
    for waiting in batch:
        waiting.error = error
        waiting.settled.set()
