"""Connections to PostgreSQL: all have timeouts, and none is used for commits on a server that may lose them."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final, TypeAlias

import psycopg
import psycopg.errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from leadgen.errors import (
    ConfigError,
    DatabaseUnavailable,
    DiskFull,
    TableLocked,
    TooFewCopies,
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
BREAK_SECONDS: Final = 0.5  # after the cancel, before a connection is broken: what a server that is alive needs
IDLE_IN_TRANSACTION_MS: Final = 10_000  # longer than any of our transactions; releases the locks of a hung client

_SQL: Final = load("settings")

# The errors of a statement when a migration has not run, or its privileges have not been granted yet.
_MISSING: Final = (
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InsufficientPrivilege,
)

# PostgreSQL settings without which a power cut can lose a commit, and the one that lists the standbys to wait for.
_DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")
_STANDBYS: Final = "synchronous_standby_names"


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


def assert_durable(connection: Connection, copies: int = 1) -> None:
    """Raise UnsafeDurability unless a commit survives a power cut, and with two copies the loss of the server."""
    rows = connection.execute(_SQL["read_settings"], [[*_DURABLE, _STANDBYS]]).fetchall()
    settings: dict[str, str] = dict(rows)
    if unsafe := [f"{name} = {settings[name]}" for name in _DURABLE if settings[name] != "on"]:
        raise UnsafeDurability(
            "database",
            f"PostgreSQL runs with {', '.join(unsafe)}, so a committed lead can be lost",
            "turn it on in postgresql.conf, reload PostgreSQL and start again",
        )
    if copies > 1 and not settings[_STANDBYS]:
        raise TooFewCopies(
            "database",
            f"{_STANDBYS} is empty, so PostgreSQL waits for no standby and the loss of one host loses leads",
            f"set {_STANDBYS} and reload PostgreSQL, or set LEADGEN_DATABASE_COPIES=1 if one copy is enough",
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
def unavailable_when_warned(connection: Connection) -> Iterator[None]:
    """Raise DatabaseUnavailable if PostgreSQL warned during the block: then a commit may be on one host only.

    When its wait for a standby is cancelled, PostgreSQL reports the commit as a success, with a warning.
    """
    warnings: list[str | None] = []

    def hear(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            warnings.append(notice.sqlstate)

    connection.add_notice_handler(hear)
    try:
        yield
    finally:
        connection.remove_notice_handler(hear)
    if warnings:
        raise DatabaseUnavailable(f"PostgreSQL may not have waited for its standby (SQLSTATE {warnings[0]})")


def confirm(connection: Connection) -> None:
    """Wait until everything that this session could read is on as many hosts as a commit has to be.

    A read waits for no standby: it can return a row that only this server has, because its commit was cut off
    while it waited for one. This commit writes WAL, so it is waited for, and with it everything before it.
    """
    with unavailable_when_warned(connection):
        connection.execute(_SQL["write_marker"])


@contextmanager
def bounded(connection: Connection, seconds: float) -> Iterator[None]:
    """End the block's work on the connection in time: its call then fails with psycopg.OperationalError.

    The server's own timeouts do not help when the server is frozen, because the kernel keeps acknowledging for it,
    nor when a commit waits for a standby.
    """
    done = threading.Event()
    last = min(BREAK_SECONDS, seconds / 4)
    watchdog = threading.Timer(seconds - last, end_work, [connection, done.wait, last])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
        done.set()


def end_work(connection: Connection, ends_within: Callable[[float], bool], seconds: float) -> None:
    """Cancel what the connection does; break it if that does not help within these seconds.

    A session that waits for a standby does not notice that its client is gone: with a break alone such sessions
    would pile up on the server until it has no connection left.
    """
    end = monotonic() + seconds
    with contextlib.suppress(psycopg.Error, OSError):
        connection.cancel_safe(timeout=seconds)
    if not ends_within(max(end - monotonic(), 0)):
        _break(connection)


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
        # Of several hosts only the one that takes writes is of use, wherever it is in the list.
        given = conninfo_to_dict(url)
        wanted = "read-write" if "," in str(given.get("host")) else "any"
        return make_conninfo(
            url,
            target_session_attrs=given.get("target_session_attrs", wanted),
            application_name=f"leadgen-{service}",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=TCP_TIMEOUT_MS,
            # Set by the client, synchronous_commit overrides the server's, the database's and the role's setting.
            # A warning is an answer (see unavailable_when_warned), so it must not be filtered out either.
            options="-c synchronous_commit=on -c client_min_messages=notice"
            f" -c lock_timeout={limits.lock_ms}"
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
