"""What health, readiness and metrics ask of PostgreSQL: once a second at most, however many want to know."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from leadgen.errors import DatabaseUnavailable, LeadgenError
from leadgen.store import heartbeats, queue
from leadgen.store.connection import Database, assert_durable

KEPT_SECONDS: Final = 1.0
SWEEPER_SILENT_SECONDS: Final = 30  # three of its beats
STUCK_SECONDS: Final = 10  # left alone for this long, an intake has nobody who drains: the sweeper needs two

_T = TypeVar("_T")


class Shared(Generic[_T]):
    """An answer that is kept for a second; callers who come together wait for one of them to get it.

    Anybody may ask for health and readiness: these callers never take the connections that submissions need.
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
    """What only PostgreSQL knows; without its answer, the state says why and the rest is unknown."""

    postgres: str
    sweeper: str = "unknown"
    backlog: queue.Backlog | None = None
    stuck: bool = True


def look(database: Database) -> DatabaseSide:
    """Ask for the backlog and the sweeper's last sign of life; a PostgreSQL that refuses is an answer, too."""
    try:
        with queue.own_words(), database.connection() as connection:
            age = heartbeats.get_ages(connection).get("sweeper")
            alive = age is not None and age < SWEEPER_SILENT_SECONDS
            stuck = queue.has_overdue(connection, STUCK_SECONDS)
            return DatabaseSide("ok", "ok" if alive else "down", queue.backlog(connection), stuck)
    except DatabaseUnavailable:
        return DatabaseSide("down")
    except LeadgenError:
        return DatabaseSide("degraded")


def find_obstacle(database: Database, release: str) -> str | None:
    """What keeps a lead from being committed at this moment; the probe is a real, durable write."""
    try:
        with queue.own_words(), database.connection() as connection:
            assert_durable(connection)
            heartbeats.beat(connection, "api", release)
    except LeadgenError as error:
        return error.what
    return None
