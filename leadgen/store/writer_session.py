"""A flusher's connection: made when it is needed, known to be durable, given up when it is broken."""

from collections.abc import Sequence
from time import monotonic
from typing import Final
from uuid import UUID

import psycopg
import psycopg.errors

from leadgen.store.connection import Connection, Limits, assert_durable, connect, unfit_when_missing
from leadgen.store.intakes import Intake, Receipt, accept

DURABLE_SECONDS: Final = 1.0  # how long an answer about durability is believed: a reload can turn it off
# A row that waits for a lock must not hold its batch up; alone it may wait for as long as Limits() says.
BATCH_LIMITS: Final = Limits(lock_ms=100, statement_ms=4_000)


class WriterSession:
    """What one flusher writes through; not to be shared."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._durable_until = 0.0

    def accept(self, intakes: Sequence[Intake]) -> dict[UUID, Receipt]:
        """Commit a batch, all or nothing.

        Raises DatabaseUnavailable, UnsafeDurability, UnfitSchema and psycopg.Error.
        """
        if self._connection is None:
            self._connection = connect(self._url, "api-writer", BATCH_LIMITS)
            self._durable_until = 0.0
        try:
            self._assert_durable(self._connection)
            with unfit_when_missing():
                return accept(self._connection, intakes)
        except psycopg.errors.ReadOnlySqlTransaction:
            self.close()  # a standby now: whoever took over answers at the same address, on a new connection
            raise
        finally:
            if self._connection is not None and self._connection.closed:
                self._connection = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _assert_durable(self, connection: Connection) -> None:
        if monotonic() >= self._durable_until:
            assert_durable(connection)
            self._durable_until = monotonic() + DURABLE_SECONDS
