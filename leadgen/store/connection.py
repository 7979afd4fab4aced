"""Connections to PostgreSQL: all have timeouts, and none is used for commits on a server that may lose them."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final, TypeAlias

import psycopg
import psycopg.errors
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from leadgen.errors import (
    ConfigError,
    DatabaseUnavailable,
    DiskFull,
    TableLocked,
    UnfitSchema,
    UnsafeDurability,
)
from leadgen.store.queries import load

Connection: TypeAlias = psycopg.Connection[TupleRow]

CONNECT_TIMEOUT_SECONDS: Final = 2  # libpq rounds 1 up to 2
POOL_TIMEOUT_SECONDS: Final = 2.0
CHECK_SECONDS: Final = 1.0
BORROW_SECONDS: Final = 4.0  # for all work of a request on one connection; less than its five seconds
TCP_TIMEOUT_MS: Final = 3_000  # a network that drops everything is noticed while the request is still waiting
IDLE_IN_TRANSACTION_MS: Final = 10_000  # longer than any of our transactions; releases the locks of a hung client

_SQL: Final = load("settings")

# The errors of a statement when a migration has not run, or its privileges have not been granted yet.
_MISSING: Final = (
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InsufficientPrivilege,
)

# PostgreSQL settings without which a power cut can lose a commit.
_DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(frozen=True, slots=True)
class Limits:
    """A session's timeouts for one lock and for one statement, in milliseconds."""

    lock_ms: int = 2_000
    statement_ms: int = 5_000


def connect(url: str, service: str, limits: Limits = Limits()) -> Connection:
    """Open an autocommit connection that appears as `leadgen-<service>` in pg_stat_activity.

    Raises DatabaseUnavailable.
    """
    with unavailable_when_broken():
        return psycopg.connect(_conninfo(url, service, limits), autocommit=True)


def assert_durable(connection: Connection) -> None:
    """Raise UnsafeDurability unless a commit on this connection survives a power cut."""
    rows = connection.execute(_SQL["read_settings"], [list(_DURABLE)]).fetchall()
    if unsafe := [f"{name} = {value}" for name, value in rows if value != "on"]:
        raise UnsafeDurability(
            "database",
            f"PostgreSQL runs with {', '.join(unsafe)}, so a committed lead can be lost",
            "turn it on in postgresql.conf, reload PostgreSQL and start again",
        )


@contextmanager
def unavailable_when_broken() -> Iterator[None]:
    """Translate the driver's errors for a lost, refused or read-only connection into DatabaseUnavailable.

    Errors for a missing table, column or privilege become UnfitSchema.
    """
    try:
        with unfit_when_missing():
            yield
    except PoolTimeout as error:
        raise DatabaseUnavailable("no connection became free in time") from error
    except psycopg.errors.DiskFull as error:
        raise DiskFull("the disk of PostgreSQL's data is full (SQLSTATE 53100)") from error
    except psycopg.errors.LockNotAvailable as error:
        raise TableLocked("another session has held a lock for too long (SQLSTATE 55P03)") from error
    except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise DatabaseUnavailable(_kind(error)) from error


@contextmanager
def unfit_when_missing() -> Iterator[None]:
    """Translate the driver's errors for a missing table, column or privilege into UnfitSchema."""
    try:
        yield
    except _MISSING as error:
        raise UnfitSchema(
            "database",
            f"the schema lacks a table, column or privilege that this release needs (SQLSTATE {error.sqlstate})",
            "run `leadgen migrate`; `leadgen migrate --dry-run` shows what is pending",
        ) from error


@contextmanager
def bounded(connection: Connection, seconds: float) -> Iterator[None]:
    """Break the connection if the block takes longer: its call then fails with psycopg.OperationalError.

    The server's own timeouts do not help when the server is frozen: the kernel keeps acknowledging for it.
    """
    watchdog = threading.Timer(seconds, _break, [connection])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


class Database:
    """A pool for one process, to be opened after fork: otherwise the children share its sockets."""

    def __init__(self, url: str, service: str, *, least: int = 1, most: int = 4) -> None:
        self._pool = ConnectionPool[Connection](
            _conninfo(url, service, Limits()),
            kwargs={"autocommit": True},
            min_size=least,
            max_size=most,
            max_waiting=1_000,
            reconnect_timeout=1,  # its back-off keeps doubling: give up, and the next borrower starts over
            check=_check,
            open=True,
            name=service,
        )

    @contextmanager
    def connection(self, seconds: float = BORROW_SECONDS) -> Iterator[Connection]:
        """Lend a healthy connection for at most this long.

        Raises UnfitSchema and DatabaseUnavailable, the latter also when the connection breaks or the time runs out
        while it is lent.
        """
        end = monotonic() + seconds
        with (
            unavailable_when_broken(),
            self._pool.connection(min(seconds, POOL_TIMEOUT_SECONDS)) as connection,
            bounded(connection, max(end - monotonic(), 0)),
        ):
            yield connection

    def close(self) -> None:
        self._pool.close()


def _conninfo(url: str, service: str, limits: Limits) -> str:
    try:
        return make_conninfo(
            url,
            application_name=f"leadgen-{service}",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=TCP_TIMEOUT_MS,
            # Set by the client, synchronous_commit overrides the server's, the database's and the role's setting.
            options=f"-c synchronous_commit=on -c lock_timeout={limits.lock_ms}"
            f" -c statement_timeout={limits.statement_ms}"
            f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} -c timezone=UTC",
        )
    except psycopg.ProgrammingError:
        # libpq's message quotes the text it could not parse, which may be the password: drop the cause.
        fault = "libpq cannot parse the database URL: percent-encode the password, check the parameters"
        raise ConfigError([fault]) from None


def _check(connection: Connection) -> None:
    with bounded(connection, CHECK_SECONDS):
        ConnectionPool.check_connection(connection)


def _break(connection: Connection) -> None:
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


def _kind(error: psycopg.Error) -> str:
    # The driver's own text may contain the host, the user or a row: only pass the SQLSTATE on.
    return f"PostgreSQL refused or lost the connection (SQLSTATE {error.sqlstate or 'none'})"
