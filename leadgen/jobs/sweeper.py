"""The sweeper: drains what the worker did not, directly from PostgreSQL, so that no lead depends on Redis."""

import logging
import time
from typing import Final

from leadgen.errors import LeadgenError
from leadgen.jobs.batches import drain_batches
from leadgen.log import event
from leadgen.store import heartbeats, queue
from leadgen.store.connection import Connection, bounded, connect

SERVICE: Final = "sweeper"
POLL_SECONDS: Final = 0.5  # also how long a stop can take while the sweeper is idle
OVERDUE_SECONDS: Final = 2.0  # a running worker would have drained it by now
BEAT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 5.0  # the limit for an answer, so that a frozen PostgreSQL does not delay a stop
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 0.8

_log = logging.getLogger(__name__)


class Sweeper:
    """Runs until `stop`, even while PostgreSQL is down."""

    def __init__(self, database_url: str, release: str) -> None:
        self._url = database_url
        self._release = release
        self._connection: Connection | None = None
        self._next_beat = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._trouble: str | None = None
        self._stopping = False

    def stop(self) -> None:
        """Finish the current batch and return from `run`; can be called by a signal handler."""
        self._stopping = True

    def run(self) -> None:
        event(_log, "sweeper_started", release=self._release)
        while not self._stopping:
            try:
                self.run_once()
                self._settle()
            except LeadgenError as error:
                self._recover(error)
        self.close()
        event(_log, "sweeper_stopped")

    def run_once(self) -> int:
        """Wait for a ring or the next poll, drain if needed, and return the number of new leads."""
        with queue.translated_errors():
            connection = self._connected()
            self._beat(connection)
            return self._drain(connection) if self._has_reason(connection) else 0

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        """The connection; a new one listens for rings from the start, and drains at the next ring or poll."""
        if self._connection is None:
            self._connection = connect(self._url, SERVICE)
            with bounded(self._connection, ANSWER_SECONDS):
                queue.listen(self._connection)
            self._next_beat = 0.0
        return self._connection

    def _beat(self, connection: Connection) -> None:
        if time.monotonic() >= self._next_beat:
            with bounded(connection, ANSWER_SECONDS):
                heartbeats.beat(connection, SERVICE, self._release)
            self._next_beat = time.monotonic() + BEAT_SECONDS

    def _has_reason(self, connection: Connection) -> bool:
        """Whether the bell rings before the next poll, or an intake is overdue then."""
        with bounded(connection, ANSWER_SECONDS):
            return queue.wait_for_ring(connection, POLL_SECONDS) or queue.has_overdue(connection, OVERDUE_SECONDS)

    def _drain(self, connection: Connection) -> int:
        """Drain to the end of the queue, with heartbeats between batches: a long backlog takes minutes."""
        leads = 0
        for batch in drain_batches(connection):
            leads += batch.leads
            self._beat(connection)
            if self._stopping:
                break
        return leads

    def _recover(self, error: LeadgenError) -> None:
        """Start over with a new connection, after a pause that doubles up to a limit."""
        if self._trouble != str(error):
            self._trouble = str(error)
            event(_log, "sweep_failed", level=logging.WARNING, reason=self._trouble)
        self.close()
        time.sleep(self._pause)
        self._pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2)

    def _settle(self) -> None:
        """The database answers again: the next error is a new one."""
        if self._trouble is not None:
            event(_log, "sweep_recovered")
        self._trouble = None
        self._pause = FIRST_PAUSE_SECONDS
