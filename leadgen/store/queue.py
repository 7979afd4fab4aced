"""The queue of intakes that are not leads yet: draining it, setting bad ones apart, and measuring it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg
import psycopg.errors
from psycopg.rows import class_row

from leadgen.domain.backoff import delay_seconds, is_last
from leadgen.errors import DatabaseUnavailable, LeadgenError
from leadgen.store import faults
from leadgen.store.connection import Connection, bounded, unavailable_when_broken
from leadgen.store.queries import load

BATCH: Final = 500  # about 20 ms of work: large enough to share a commit, small enough to stop between two
BATCH_SECONDS: Final = 6.0  # longer than statement_timeout, which should fire first, unless PostgreSQL is frozen
SUSPECTS_SECONDS: Final = 20.0  # halving repeats much of a batch that was already slow; a freeze here is rare
COUNT_MOST: Final = 100_000  # counting further takes too long for a gauge

_SQL: Final = load("intake_queue")


@dataclass(frozen=True, slots=True)
class Failed:
    """An intake whose data made its attempt fail; the reason quotes nothing from it."""

    intake_id: UUID
    attempts: int
    reason: str

    @property
    def buried(self) -> bool:
        """Whether that was the last attempt; otherwise it is put off."""
        return is_last(self.attempts)


@dataclass(frozen=True, slots=True)
class Drained:
    """The result of a batch: how many intakes are leads now, and which failed."""

    leads: int = 0
    failed: tuple[Failed, ...] = ()

    @property
    def put_off(self) -> int:
        return len(self.failed) - self.buried

    @property
    def buried(self) -> int:
        return sum(failed.buried for failed in self.failed)

    @property
    def taken(self) -> int:
        """How many left the head of the queue; fewer than requested means that nothing claimable is left."""
        return self.leads + len(self.failed)

    def __add__(self, other: "Drained") -> "Drained":
        return Drained(self.leads + other.leads, self.failed + other.failed)


class BatchTooSlow(DatabaseUnavailable):
    """PostgreSQL canceled a statement that took too long: a smaller batch may succeed."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """The state of the queue. `waiting` is exact up to COUNT_MOST."""

    waiting: int
    oldest_age_seconds: float
    dead: int


@dataclass(frozen=True, slots=True)
class _Suspect:
    intake_id: UUID
    attempts: int


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate the driver's errors that are not a row's fault into our own: the driver's may quote a row."""
    try:
        with unavailable_when_broken():
            yield
    except psycopg.Error as error:
        raise LeadgenError(
            "queue",
            f"PostgreSQL rejected the statement (SQLSTATE {error.sqlstate or 'none'})",
            "compare the schema with this release: `leadgen migrate --dry-run`",
        ) from error


def prefer_indexes(connection: Connection) -> None:
    """Make this session drain a long queue as fast as a short one, whichever it saw first."""
    with translated_errors(), bounded(connection, BATCH_SECONDS):
        connection.execute(_SQL["prefer_indexes"])


def drain_batch(connection: Connection, most: int = BATCH) -> int:
    """Turn up to `most` claimable intakes into leads and return how many, in one statement.

    All or nothing: one bad row fails the batch with the driver's own error.
    """
    return _drain(connection, None, most, prepare=True)


def drain_with_suspects(connection: Connection, most: int = BATCH) -> Drained:
    """Drain a batch; when a row's data makes it fail, set that row apart and drain the others.

    Raises DatabaseUnavailable (including BatchTooSlow), and LeadgenError when the schema is not what this release
    expects. Neither counts as an attempt.
    """
    with translated_errors(), _too_slow_when_canceled():
        try:
            with bounded(connection, BATCH_SECONDS):
                return Drained(leads=drain_batch(connection, most))
        except psycopg.Error as error:
            if not faults.is_row(error):
                raise
        with bounded(connection, SUSPECTS_SECONDS), connection.transaction():
            return _drain_suspects(connection, most)


def has_overdue(connection: Connection, older_than_seconds: float) -> bool:
    """Whether a claimable intake has been waiting for longer than this."""
    with translated_errors():
        row = connection.execute(_SQL["has_overdue"], [older_than_seconds]).fetchone()
    return row == (True,)


def backlog(connection: Connection) -> Backlog:
    with connection.cursor(row_factory=class_row(Backlog)) as cursor:
        row = cursor.execute(_SQL["measure_backlog"], [COUNT_MOST]).fetchone()
    return row or Backlog(0, 0.0, 0)


def notify(connection: Connection) -> None:
    """Ring through PostgreSQL: this wakes the sweeper when the transaction commits."""
    connection.execute(_SQL["notify"])


def listen(connection: Connection) -> None:
    """Listen for rings on this connection from now on."""
    with unavailable_when_broken():
        connection.execute(_SQL["listen"])


def wait_for_ring(connection: Connection, seconds: float) -> bool:
    """Wait on a listening connection; return whether it rang."""
    with unavailable_when_broken():
        return bool(list(connection.notifies(timeout=seconds, stop_after=1)))


@contextmanager
def _too_slow_when_canceled() -> Iterator[None]:
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise BatchTooSlow("PostgreSQL canceled a batch that took too long (SQLSTATE 57014)") from error


def _drain(connection: Connection, only: list[UUID] | None, most: int, *, prepare: bool) -> int:
    rows = connection.execute(_SQL["drain_batch"], {"only": only, "most": most}, prepare=prepare)
    return sum(count for (count,) in rows)


def _drain_suspects(connection: Connection, most: int) -> Drained:
    """Halve the claimed batch down to the rows at fault; its locks keep other drainers away."""
    with connection.cursor(row_factory=class_row(_Suspect)) as cursor:
        suspects = cursor.execute(_SQL["claim_suspects"], [most]).fetchall()
    at_fault = list(_halve(connection, suspects))
    failed = tuple(_set_apart(connection, suspect, reason) for suspect, reason in at_fault)
    return Drained(len(suspects) - len(failed), failed)


def _halve(connection: Connection, suspects: Sequence[_Suspect]) -> Iterator[tuple[_Suspect, str]]:
    """Drain all except those at fault, and yield these with the reason."""
    reason = _fault_of(connection, suspects)
    if reason is None:
        return
    if len(suspects) == 1:
        yield suspects[0], reason
        return
    middle = len(suspects) // 2
    yield from _halve(connection, suspects[:middle])
    yield from _halve(connection, suspects[middle:])


def _fault_of(connection: Connection, suspects: Sequence[_Suspect]) -> str | None:
    """Drain exactly these and return None, or drain none of them and return the reason."""
    try:
        with connection.transaction():
            # Not prepared: a plan for these ids uses the index, a generic one reads the queue from its head.
            _drain(connection, [suspect.intake_id for suspect in suspects], len(suspects), prepare=False)
    except psycopg.Error as error:
        if not faults.is_row(error):
            raise
        return _reason(error)
    return None


def _set_apart(connection: Connection, suspect: _Suspect, reason: str) -> Failed:
    """Put it off or, after its last attempt, bury it."""
    failed = Failed(suspect.intake_id, suspect.attempts + 1, reason)
    if failed.buried:
        connection.execute(_SQL["bury"], [failed.intake_id, reason])
    else:
        connection.execute(_SQL["put_off"], [delay_seconds(failed.attempts), reason, failed.intake_id])
    return failed


def _reason(error: psycopg.Error) -> str:
    """The reason why a row failed, without the driver's message, which quotes the row."""
    names = (error.diag.table_name, error.diag.column_name, error.diag.constraint_name)
    kind = type(error).__name__
    return " ".join(part for part in (error.sqlstate, kind, *names) if part)
