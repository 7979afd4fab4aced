"""PostgreSQL's state for health, readiness and metrics, queried at most once a second."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from leadgen.errors import DatabaseUnavailable, LeadgenError, MigrationError, UnfitSchema, UnsafeDurability
from leadgen.log import event
from leadgen.store import heartbeats, queue
from leadgen.store.connection import Database, assert_durable
from leadgen.store.migrations import Migration, assert_applied, pending

KEPT_SECONDS: Final = 1.0
SWEEPER_SILENT_SECONDS: Final = 30  # three of its beats
STUCK_SECONDS: Final = 10  # an intake that waits this long is not being drained: the sweeper needs two

# What the response says about each obstacle; the log has the details.
OBSTACLES: Final[dict[type[LeadgenError], str]] = {
    DatabaseUnavailable: "PostgreSQL is unreachable or read-only.",
    UnsafeDurability: "PostgreSQL may lose committed data.",
    MigrationError: "The database lacks a migration of this release, or has a different version of it.",
    UnfitSchema: "The database lacks a table, column or privilege that this release needs.",
    LeadgenError: "PostgreSQL rejects a statement of this release.",
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
    sweeper: str = "unknown"
    backlog: queue.Backlog | None = None
    stuck: bool = True


def look(database: Database, required: Sequence[Migration]) -> DatabaseSide:
    """Query the backlog and the sweeper's last heartbeat; a refusal by PostgreSQL is an answer, too."""
    try:
        with queue.translated_errors(), database.connection() as connection:
            state = "degraded" if pending(connection, required) else "ok"
            age = heartbeats.get_ages(connection).get("sweeper")
            alive = age is not None and age < SWEEPER_SILENT_SECONDS
            stuck = queue.has_overdue(connection, STUCK_SECONDS)
            return DatabaseSide(state, "ok" if alive else "down", queue.backlog(connection), stuck)
    except DatabaseUnavailable:
        return DatabaseSide("down")
    except LeadgenError:
        return DatabaseSide("degraded")


def find_obstacle(database: Database, required: Sequence[Migration], release: str) -> str | None:
    """Return why a lead cannot be committed now, or None; the probe is a real, durable write."""
    try:
        with queue.translated_errors(), database.connection() as connection:
            assert_durable(connection)
            assert_applied(connection, required)
            heartbeats.beat(connection, "api", release)
    except LeadgenError as error:
        event(_log, "not_ready", level=logging.WARNING, reason=str(error))
        return next(text for kind, text in OBSTACLES.items() if isinstance(error, kind))
    return None
