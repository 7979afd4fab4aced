"""Connections to PostgreSQL: every one bounded by timeouts, none on a server that may lose a commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from leadgen.errors import DatabaseUnavailable, UnsafeDurability
from leadgen.store.queries import load

Connection: TypeAlias = psycopg.Connection[TupleRow]

CONNECT_TIMEOUT_SECONDS: Final = 2  # libpq rounds 1 up to 2
POOL_TIMEOUT_SECONDS: Final = 2
IDLE_IN_TRANSACTION_MS: Final = 10_000  # longer than any transaction of ours; frees what a hung client locks

_SQL: Final = load("settings")

# PostgreSQL's settings without which a commit can vanish in a power cut. `local` and the two `remote_*`
# modes also wait for the local disk; only `off` does not.
_DURABLE: Final = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "local", "remote_write", "remote_apply"},
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session waits for one lock, and for one statement, in milliseconds."""

    lock_ms: int = 2_000
    statement_ms: int = 5_000


def connect(url: str, service: str, limits: Limits = Limits()) -> Connection:
    """Open one autocommit connection that shows up as `leadgen-<service>` in pg_stat_activity.

    Raises DatabaseUnavailable.
    """
    with unavailable_when_broken():
        return psycopg.connect(_conninfo(url, service, limits), autocommit=True)


def assert_durable(connection: Connection) -> None:
    """Raise UnsafeDurability unless a commit on this connection survives a power cut."""
    rows = connection.execute(_SQL["read_settings"], [list(_DURABLE)]).fetchall()
    if unsafe := [f"{name} = {value}" for name, value in rows if value not in _DURABLE[name]]:
        raise UnsafeDurability(
            "database",
            f"PostgreSQL runs with {', '.join(unsafe)}, so a committed lead can be lost",
            "turn it on in postgresql.conf (and for the role), reload, and start again",
        )


@contextmanager
def unavailable_when_broken() -> Iterator[None]:
    """Turn the driver's words for a lost or refused connection into DatabaseUnavailable."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable("no connection became free in time") from error
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(_kind(error)) from error


class Database:
    """A pool for one process, opened after fork: one opened before shares its sockets with the children."""

    def __init__(self, url: str, service: str, *, most: int = 4, limits: Limits = Limits()) -> None:
        self._pool = ConnectionPool[Connection](
            _conninfo(url, service, limits),
            kwargs={"autocommit": True},
            min_size=1,
            max_size=most,
            timeout=POOL_TIMEOUT_SECONDS,
            max_waiting=1_000,
            reconnect_timeout=1,  # its back-off doubles for ever: give up, the next borrower starts afresh
            check=ConnectionPool.check_connection,
            open=True,
            name=service,
        )

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a healthy connection. Raises DatabaseUnavailable, also when it breaks while lent."""
        with unavailable_when_broken(), self._pool.connection() as connection:
            yield connection

    def close(self) -> None:
        self._pool.close()


def _conninfo(url: str, service: str, limits: Limits) -> str:
    return make_conninfo(
        url,
        application_name=f"leadgen-{service}",
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
        options=f"-c lock_timeout={limits.lock_ms} -c statement_timeout={limits.statement_ms}"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} -c timezone=UTC",
    )


def _kind(error: psycopg.OperationalError) -> str:
    # The driver's own text may hold the host, the user or a row: only the SQLSTATE leaves this room.
    return f"PostgreSQL refused or lost the connection (SQLSTATE {error.sqlstate or 'none'})"
