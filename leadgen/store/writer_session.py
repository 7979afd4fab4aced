"""A flusher's connection: opened when needed, checked for durability, and dropped when broken."""

from collections.abc import Sequence
from time import monotonic
from typing import Final
from uuid import UUID

import psycopg
import psycopg.errors

from leadgen.errors import DatabaseUnavailable
from leadgen.store.connection import (
    Connection,
    Limits,
    assert_durable,
    connect,
    unavailable_when_warned,
    unfit_when_missing,
)
from leadgen.store.intakes import Intake, Receipt, accept
from leadgen.store.watchdog import Watchdog

DURABLE_SECONDS: Final = 1.0  # how long a durability check stays valid: a reload of the server can turn it off
# A row that waits for a lock must not delay its batch; alone it can wait as long as Limits() allows.
BATCH_LIMITS: Final = Limits(lock_ms=100, statement_ms=4_000)


class WriterSession:
    """The session of one flusher; do not share it."""

    def __init__(self, url: str, copies: int = 1) -> None:
        self._url = url
        self._copies = copies
        self._watchdog = Watchdog()
        self._connection: Connection | None = None
        self._durable_until = 0.0

    def accept(self, intakes: Sequence[Intake]) -> dict[UUID, Receipt]:
        """Commit a batch, all or nothing, on as many hosts as are wanted.

        Raises DatabaseUnavailable, UnsafeDurability, UnfitSchema and psycopg.Error.
        """
        if self._connection is None:
            self._connection = connect(self._url, "api-writer", BATCH_LIMITS)
            self._durable_until = 0.0
        try:
            with (
                self._watchdog.watch(self._connection),
                unavailable_when_warned(self._connection),
                unfit_when_missing(),
            ):
                self._assert_durable(self._connection)
                return accept(self._connection, intakes)
        except (DatabaseUnavailable, psycopg.errors.ReadOnlySqlTransaction):
            self._connection.close()  # perhaps no leader any more: a new connection finds its successor
            raise
        finally:
            if self._connection is not None and self._connection.closed:
                self._connection = None

    def close(self) -> None:
        self._watchdog.close()
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _assert_durable(self, connection: Connection) -> None:
        if monotonic() >= self._durable_until:
            assert_durable(connection, self._copies)
            self._durable_until = monotonic() + DURABLE_SECONDS
