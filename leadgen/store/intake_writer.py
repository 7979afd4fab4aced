"""Group commit: requests that arrive together share one statement, one commit and one flush to disk.

A request hands over its intake and waits. A few flushers, each with its own connection, take everything that is
waiting whenever they are free, so batches grow with the load and an idle system adds no delay. A batch that fails
because of one row is written key by key. If a key still fails (its row is at fault, or another writer holds it),
the first request that waits for it writes it alone, and the other requests with that key get the same outcome.

Plain threads: under gunicorn's gevent worker they are greenlets.
"""

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from time import monotonic
from typing import Final
from uuid import UUID

import psycopg.errors

from leadgen.errors import (
    CommitsFail,
    DatabaseUnavailable,
    IdempotencyKeyHeld,
    LeadgenError,
    UnfitSchema,
    UnsafeDurability,
)
from leadgen.log import event
from leadgen.store import faults
from leadgen.store.connection import Connection, Database, assert_durable, unavailable_when_warned
from leadgen.store.intakes import Intake, Receipt, accept, lock_tables
from leadgen.store.writer_session import WriterSession

PATIENCE_SECONDS: Final = 5.0  # how long a client waits for a commit before it is answered 503
MOST_ROWS: Final = 256  # per batch: beyond this, sharing the cost of a commit gains little
FLUSHERS: Final = 2  # one collects rows while the other's commit is on its way to disk
RETRY_SECONDS: Final = 0.1
LAST_START_SECONDS: Final = 0.25  # a commit started later than this before the 503 might finish after it
NAMED_TOGETHER: Final = 64  # intakes in one log line: the journal splits lines over 8 KB
ALONE_MOST: Final = 4  # keys that one process can wait for at the same time

_log = logging.getLogger(__name__)


class _Waiting:
    """An intake between a request and a flusher. Settled without receipt or error, the request writes it alone."""

    __slots__ = ("deadline", "error", "followers", "gone", "intake", "receipt", "settled")

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.deadline = monotonic() + PATIENCE_SECONDS
        self.settled = threading.Event()
        self.receipt: Receipt | None = None
        self.error: LeadgenError | None = None
        self.gone = False
        self.followers: list[_Waiting] = []

    @property
    def left(self) -> float:
        """Seconds for which the request still waits."""
        return 0.0 if self.gone else self.deadline - monotonic()

    def settle(self, receipt: Receipt | None = None, error: LeadgenError | None = None) -> None:
        self.receipt, self.error = receipt, error
        self.settled.set()


class IntakeWriter:
    """Writes the intakes of one process; create it after fork."""

    def __init__(self, url: str, *, copies: int = 1, observe: Callable[[int], None]) -> None:
        self._url = url
        self._copies = copies
        self._observe = observe
        self._database = Database(url, "api-alone", least=0, most=ALONE_MOST)
        self._waiting: deque[_Waiting] = deque()
        self._alone: dict[tuple[str, str], _Waiting] = {}
        self._present = 0
        self._arrived = threading.Condition()  # guards the three above, and `gone` and `followers`
        self._committed_at = monotonic()
        self._outage = False
        self._closing = False
        self._failing = False
        self._flushers = [
            threading.Thread(target=self._run, name=f"intake-flusher-{number}", daemon=True)
            for number in range(FLUSHERS)
        ]
        for flusher in self._flushers:
            flusher.start()

    def write(self, intake: Intake) -> Receipt:
        """Return when the intake, or the earlier one with its key, is committed.

        Raises DatabaseUnavailable (the outcome is then unknown; a retry with the same key settles it; CommitsFail,
        without a wait, in an outage), UnsafeDurability, UnfitSchema or IdempotencyKeyHeld.
        """
        waiting = _Waiting(intake)
        self._enter(waiting)
        try:
            if not waiting.settled.wait(PATIENCE_SECONDS):
                self._note_wait(waiting)
                raise _too_late()
            if waiting.receipt is None and waiting.error is None:
                self._write_alone(waiting)
            if waiting.error is not None:
                raise waiting.error
            assert waiting.receipt is not None  # noqa: S101 - for the type checker
            return waiting.receipt
        finally:
            self._leave(waiting)

    def close(self) -> None:
        """Commit what is waiting, then stop."""
        with self._arrived:
            self._closing = True
            self._arrived.notify_all()
        for flusher in self._flushers:
            flusher.join(PATIENCE_SECONDS)
        self._database.close()

    def _enter(self, waiting: _Waiting) -> None:
        with self._arrived:
            # One request at a time finds out when commits work again. If all waited their five seconds, they would
            # take every connection of the server, and new ones would come faster than old ones end.
            if self._outage and self._present:
                raise CommitsFail(f"no commit for {monotonic() - self._committed_at:.0f} s")
            self._present += 1
            if leader := self._alone.get(waiting.intake.key):
                leader.followers.append(waiting)
            else:
                self._waiting.append(waiting)
                self._arrived.notify()

    def _leave(self, waiting: _Waiting) -> None:
        """End a request; one that wrote alone passes the outcome to its followers."""
        with self._arrived:
            self._present -= 1
            waiting.gone = True
            if self._alone.get(waiting.intake.key) is not waiting:
                return
            del self._alone[waiting.intake.key]
        if waiting.receipt is None and waiting.error is None:
            self._put_back(waiting.followers)
            return
        for follower in waiting.followers:
            follower.settle(waiting.receipt and replace(waiting.receipt, replayed=True), waiting.error)

    def _run(self) -> None:
        session = WriterSession(self._url, self._copies)
        while batch := self._take():
            if not self._flush(session, batch):
                threading.Event().wait(RETRY_SECONDS)
        session.close()

    def _take(self) -> list[_Waiting]:
        """All waiting intakes whose requests still wait, up to a batch; empty only at the end."""
        batch: list[_Waiting] = []
        with self._arrived:
            while not batch:
                while not self._waiting and not self._closing:
                    self._arrived.wait()
                if not self._waiting:
                    break
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_ROWS))]
                # A request answered 503 must never be stored later.
                batch = [waiting for waiting in taken if waiting.left > LAST_START_SECONDS]
        return batch

    def _flush(self, session: WriterSession, batch: list[_Waiting]) -> bool:
        """Commit a batch and settle it; False when the server is down, and the batch waits for it."""
        try:
            receipts = session.accept([waiting.intake for waiting in batch])
        except (UnsafeDurability, UnfitSchema) as error:
            for waiting in batch:
                waiting.settle(error=error)
        except Exception as error:  # noqa: BLE001 - a flusher that dies leaves every later request waiting
            if faults.is_server(error):
                self._note(failing=True)
                self._put_back(batch)
                return False
            return self._flush_by_key(session, batch)
        else:
            self._note_commit()
            self._note(failing=False)
            self._observe(len(batch))
            self._hand_over(batch, receipts)
        return True

    def _flush_by_key(self, session: WriterSession, batch: list[_Waiting]) -> bool:
        """Find the key that makes a batch fail, at the cost of one commit per key."""
        keys = defaultdict(list)
        for waiting in batch:
            keys[waiting.intake.key].append(waiting)
        if len(keys) == 1:
            self._leave_to_request(batch)
            return True
        parts = deque(keys.values())
        while parts:
            if not self._flush(session, parts.popleft()):
                self._put_back(waiting for part in parts for waiting in part)
                return False
        return True

    def _hand_over(self, batch: list[_Waiting], receipts: dict[UUID, Receipt]) -> None:
        for waiting in batch:
            if receipt := receipts.get(waiting.intake.intake_id):
                waiting.settle(receipt)
        _log_stored((waiting.intake, receipts[waiting.intake.intake_id]) for waiting in batch if waiting.receipt)
        self._put_back(waiting for waiting in batch if not waiting.settled.is_set())

    def _leave_to_request(self, same_key: list[_Waiting]) -> None:
        """Let the first request that still waits write its key alone; the others wait for its outcome."""
        key = same_key[0].intake.key
        with self._arrived:
            present = [waiting for waiting in same_key if waiting.left > 0]
            if present and key not in self._alone:
                self._alone[key] = present.pop(0)
                self._alone[key].settle()
            if present:
                self._alone[key].followers += present

    def _put_back(self, batch: Iterable[_Waiting]) -> None:
        """Keep them for the next flush: if a row was committed after all, its insert does nothing."""
        with self._arrived:
            self._waiting.extendleft(reversed(list(batch)))
            self._arrived.notify()

    def _write_alone(self, leader: _Waiting) -> None:
        """Try until the request's time is up; the outcome is in `leader`."""
        while (left := leader.left) > 0:
            try:
                with self._database.connection(left) as connection:
                    leader.receipt = _accept_alone(connection, leader.intake, self._copies)
                self._note_commit()
                _log_stored([(leader.intake, leader.receipt)] if leader.receipt else [])
            except DatabaseUnavailable:
                threading.Event().wait(min(RETRY_SECONDS, left))
            except LeadgenError as error:
                leader.error = error
            if leader.receipt or leader.error:
                return
        self._note_wait(leader)
        leader.error = _too_late()

    def _note_commit(self) -> None:
        self._committed_at = monotonic()
        self._outage = False

    def _note_wait(self, waiting: _Waiting) -> None:
        """A request has waited in vain: if no other had a commit meanwhile either, this is an outage."""
        self._outage |= self._committed_at < waiting.deadline - PATIENCE_SECONDS

    def _note(self, *, failing: bool) -> None:
        """Log only when commits start to fail and when they work again."""
        if failing and not self._failing:
            event(_log, "flush_failed", level=logging.WARNING)
        elif self._failing and not failing:
            event(_log, "flush_recovered")
        self._failing = failing


def _log_stored(stored: Iterable[tuple[Intake, Receipt]]) -> None:
    """Log what was stored by which request, a line per commit and API key: one per lead cost 5 % of a request."""
    by_key: defaultdict[str | None, list[tuple[str, str]]] = defaultdict(list)
    for intake, receipt in stored:
        if not receipt.replayed:
            by_key[intake.key_id].append((str(receipt.intake_id), receipt.request_id))
    for key_id, pairs in by_key.items():
        for start in range(0, len(pairs), NAMED_TOGETHER):
            event(_log, "stored", key_id=key_id, intakes=dict(pairs[start : start + NAMED_TOGETHER]))


def _accept_alone(connection: Connection, intake: Intake, copies: int) -> Receipt | None:
    """Store one intake in its own transaction; None when the writer that it waited for rolled back."""
    assert_durable(connection, copies)
    with unavailable_when_warned(connection), connection.transaction():
        lock_tables(connection)
        try:
            return accept(connection, [intake]).get(intake.intake_id)
        except psycopg.errors.LockNotAvailable as error:
            if intake.idempotency_key is None:  # only an earlier try of the same intake can hold its id
                raise
            raise IdempotencyKeyHeld from error


def _too_late() -> DatabaseUnavailable:
    return DatabaseUnavailable(f"no commit within {PATIENCE_SECONDS:g} s")
