"""Connections to PostgreSQL: every one bounded by timeouts, none on a server that may lose a commit."""

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

from leadgen.errors import ConfigError, DatabaseUnavailable, UnfitSchema, UnsafeDurability
from leadgen.store.queries import load

Connection: TypeAlias = psycopg.Connection[TupleRow]

CONNECT_TIMEOUT_SECONDS: Final = 2  # libpq rounds 1 up to 2
POOL_TIMEOUT_SECONDS: Final = 2.0
CHECK_SECONDS: Final = 1.0
BORROW_SECONDS: Final = 4.0  # for everything that a request does with one connection; less than its five seconds
TCP_TIMEOUT_MS: Final = 3_000  # a network that swallows everything is noticed while the request still waits
IDLE_IN_TRANSACTION_MS: Final = 10_000  # longer than any transaction of ours; frees what a hung client locks

_SQL: Final = load("settings")

# What a statement meets where a migration has not run, or has not granted its rights yet.
_MISSING: Final = (
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InsufficientPrivilege,
)

# PostgreSQL's settings without which a commit can vanish in a power cut.
_DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")


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
    if unsafe := [f"{name} = {value}" for name, value in rows if value != "on"]:
        raise UnsafeDurability(
            "database",
            f"PostgreSQL runs with {', '.join(unsafe)}, so a committed lead can be lost",
            "turn it on in postgresql.conf, reload, and start again",
        )


@contextmanager
def unavailable_when_broken() -> Iterator[None]:
    """Turn the driver's words for a lost, refused or read-only connection into DatabaseUnavailable.

    Those for a schema without what was asked for become UnfitSchema.
    """
    try:
        with unfit_when_missing():
            yield
    except PoolTimeout as error:
        raise DatabaseUnavailable("no connection became free in time") from error
    except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise DatabaseUnavailable(_kind(error)) from error


@contextmanager
def unfit_when_missing() -> Iterator[None]:
    """Turn the driver's words for a missing table, column or right into UnfitSchema."""
    try:
        yield
    except _MISSING as error:
        raise UnfitSchema(
            "database",
            f"the schema lacks a table, a column or a right that this release needs (SQLSTATE {error.sqlstate})",
            "run `leadgen migrate`; `leadgen migrate --dry-run` says what is pending",
        ) from error


@contextmanager
def bounded(connection: Connection, seconds: float) -> Iterator[None]:
    """Break the connection when the block takes longer: its call then fails with psycopg.OperationalError.

    The server's own timeouts do not help when the server is frozen: the kernel goes on acknowledging for it.
    """
    watchdog = threading.Timer(seconds, _break, [connection])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


class Database:
    """A pool for one process, opened after fork: one opened before shares its sockets with the children."""

    def __init__(self, url: str, service: str, *, least: int = 1, most: int = 4) -> None:
        self._pool = ConnectionPool[Connection](
            _conninfo(url, service, Limits()),
            kwargs={"autocommit": True},
            min_size=least,
            max_size=most,
            max_waiting=1_000,
            reconnect_timeout=1,  # its back-off doubles for ever: give up, the next borrower starts afresh
            check=_check,
            open=True,
            name=service,
        )

    @contextmanager
    def connection(self, seconds: float = BORROW_SECONDS) -> Iterator[Connection]:
        """Lend a healthy connection for at most this long.

        Raises DatabaseUnavailable, also when the connection breaks or the time runs out while it is lent, and
        UnfitSchema.
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
            # Given by the client, synchronous_commit outranks the server's files, the database's and the role's.
            options=f"-c synchronous_commit=on -c lock_timeout={limits.lock_ms}"
            f" -c statement_timeout={limits.statement_ms}"
            f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} -c timezone=UTC",
        )
    except psycopg.ProgrammingError:
        # libpq's message quotes what it could not read, and that may be the password: the chain ends here.
        fault = "the database URL is not one that libpq reads: percent-encode the password, check the parameters"
        raise ConfigError([fault]) from None


def _check(connection: Connection) -> None:
    with bounded(connection, CHECK_SECONDS):
        ConnectionPool.check_connection(connection)


def _break(connection: Connection) -> None:
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


def _kind(error: psycopg.Error) -> str:
    # The driver's own text may hold the host, the user or a row: only the SQLSTATE leaves this room.
    return f"PostgreSQL refused or lost the connection (SQLSTATE {error.sqlstate or 'none'})"
