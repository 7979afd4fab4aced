"""PostgreSQL's state for health, readiness and metrics, queried at most once a second."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from leadgen.errors import (
    DatabaseUnavailable,
    DiskFull,
    LeadgenError,
    MigrationError,
    TableLocked,
    TooFewCopies,
    UnfitSchema,
    UnsafeDurability,
)
from leadgen.log import event
from leadgen.store import heartbeats, intakes, queue
from leadgen.store.connection import Connection, Database, assert_durable
from leadgen.store.migrations import Migration, assert_applied, pending

KEPT_SECONDS: Final = 1.0
SWEEPER_SILENT_SECONDS: Final = 30  # three of its beats
STUCK_SECONDS: Final = 10  # an intake that waits this long is not being drained: the sweeper needs two


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no lead can be stored: in two or three words for health, in a sentence for readiness."""

    fault: str
    detail: str


# The log has the details. The first kind that fits counts.
OBSTACLES: Final[dict[type[LeadgenError], Obstacle]] = {
    DiskFull: Obstacle("disk full", "The disk of PostgreSQL's data is full."),
    TableLocked: Obstacle("table locked", "A table is locked for too long."),
    DatabaseUnavailable: Obstacle("database unavailable", "PostgreSQL is unreachable or read-only."),
    TooFewCopies: Obstacle("one copy only", "PostgreSQL keeps committed data on one host only."),
    UnsafeDurability: Obstacle("unsafe durability", "PostgreSQL may lose committed data."),
    MigrationError: Obstacle(
        "migration missing", "The database lacks a migration of this release, or has a different version of it."
    ),
    UnfitSchema: Obstacle(
        "schema unfit", "The database lacks a table, column or privilege that this release needs."
    ),
    LeadgenError: Obstacle("statement rejected", "PostgreSQL rejects a statement of this release."),
}

_log: Final = logging.getLogger(__name__)

_T = TypeVar("_T")


class CachedAnswer(Generic[_T]):
    """An answer that is cached for a second; concurrent callers wait for one of them to get it.

    Health and readiness are public, so their callers must never take the connections that submissions need.
    """

    def __init__(self, ask: Callable[[], _T]) -> None:
        self._ask = ask
        self._asking = threading.Lock()
        self._until = 0.0

    def __call__(self) -> _T:
        with self._asking:
            if time.monotonic() >= self._until:
                self._answer = self._ask()
                self._until = time.monotonic() + KEPT_SECONDS
            return self._answer


@dataclass(frozen=True, slots=True)
class DatabaseSide:
    """What only PostgreSQL knows; if it does not answer, the state says why and the rest is unknown."""

    postgres: str
    obstacle: Obstacle | None = None
    sweeper: str = "unknown"
    backlog: queue.Backlog | None = None
    stuck: bool = True


def look(database: Database, required: Sequence[Migration], *, copies: int, release: str) -> DatabaseSide:
    """Store an intake and roll it back, then query the backlog and the sweeper's last heartbeat."""
    obstacle: Obstacle | None = OBSTACLES[DatabaseUnavailable]  # until a connection is there
    try:
        with queue.translated_errors(), database.connection() as connection:
            obstacle = find_obstacle(connection, required, copies=copies, release=release)
            if obstacle is OBSTACLES[TableLocked]:
                return DatabaseSide("degraded", obstacle)  # the queries below would wait for the same lock
            return _measure(connection, required, obstacle)
    except LeadgenError as error:
        lost = type(error) is DatabaseUnavailable
        if lost:
            _log_obstacle(error)
        return DatabaseSide("down" if lost else "degraded", obstacle)


def find_obstacle(
    connection: Connection, required: Sequence[Migration], *, copies: int, release: str
) -> Obstacle | None:
    """Return why a lead cannot be committed now, or None; the probe does what a POST does, and one commit."""
    try:
        with queue.translated_errors():
            assert_durable(connection, copies)
            assert_applied(connection, required)
            intakes.dry_write(connection)
            heartbeats.beat(connection, "api", release)
    except LeadgenError as error:
        _log_obstacle(error)
        return next(obstacle for kind, obstacle in OBSTACLES.items() if isinstance(error, kind))
    return None


def _measure(connection: Connection, required: Sequence[Migration], obstacle: Obstacle | None) -> DatabaseSide:
    state = "degraded" if obstacle or pending(connection, required) else "ok"
    age = heartbeats.get_ages(connection).get("sweeper")
    alive = age is not None and age < SWEEPER_SILENT_SECONDS
    stuck = queue.has_overdue(connection, STUCK_SECONDS)
    return DatabaseSide(state, obstacle, "ok" if alive else "down", queue.backlog(connection), stuck)


def _log_obstacle(error: LeadgenError) -> None:
    event(_log, "not_ready", level=logging.WARNING, reason=str(error))
