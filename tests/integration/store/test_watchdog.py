"""The watchdog of a flusher, and what a warning means: work that does not end, on a real server."""

from collections.abc import Callable, Iterator
from functools import partial

import psycopg
import pytest

from leadgen.errors import DatabaseUnavailable
from leadgen.store import watchdog
from leadgen.store.connection import Connection, bounded, connect, unavailable_when_warned
from leadgen.store.watchdog import Watchdog
from tests.conftest import Database
from tests.integration.freezing import frozen
from tests.integration.service import BUSY_SECONDS, until
from tests.integration.stopwatch import took

SOON_SECONDS = 0.3
PID = "SELECT pg_backend_pid()"
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'"


@pytest.fixture
def dog(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watchdog]:
    monkeypatch.setattr(watchdog, "CANCEL_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(watchdog, "BREAK_SECONDS", SOON_SECONDS)
    dog = Watchdog()
    yield dog
    dog.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with connect(database.api_url, "tests") as connection:
        yield connection


def sleep_watched(dog: Watchdog, connection: Connection) -> None:
    with pytest.raises(DatabaseUnavailable, match="did not commit within"), dog.watch(connection):
        connection.execute("SELECT pg_sleep(4)")


def test_what_takes_too_long_is_canceled_and_the_connection_stays(dog: Watchdog, connection: Connection) -> None:
    pid = connection.execute(PID).fetchone()
    for _ in range(2):
        assert took(partial(sleep_watched, dog, connection)) < BUSY_SECONDS
        assert connection.execute(PID).fetchone() == pid


def test_what_ends_in_time_is_left_alone(dog: Watchdog, connection: Connection) -> None:
    """Also when the watchdog is still asleep for the one before."""
    for _ in range(4):
        with dog.watch(connection):
            connection.execute("SELECT pg_sleep(0.1)")
    with pytest.raises(psycopg.errors.DivisionByZero), dog.watch(connection):
        connection.execute("SELECT 1 / 0")


def test_a_connection_to_a_frozen_server_is_broken(dog: Watchdog, own_postgres: Callable[..., Database]) -> None:
    database = own_postgres()
    with connect(database.api_url, "tests") as connection, frozen(database):
        assert took(partial(sleep_watched, dog, connection)) < BUSY_SECONDS
        assert connection.broken


def test_what_is_bounded_is_canceled_on_the_server_too(connection: Connection, database: Database) -> None:
    pid = connection.execute(PID).fetchone()
    with pytest.raises(psycopg.OperationalError), bounded(connection, SOON_SECONDS):
        connection.execute("SELECT pg_sleep(4)")
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        assert until(lambda: superuser.execute(BUSY, pid).fetchone() == (0,), BUSY_SECONDS)


def test_a_warning_makes_the_outcome_unknown_and_a_notice_does_not(database: Database) -> None:
    """Although the database hides warnings: each connection asks for them."""
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        superuser.execute(f"ALTER DATABASE {database.name} SET client_min_messages = error")
    with connect(database.api_url, "tests") as connection:
        heed(connection)


def heed(connection: Connection) -> None:
    with unavailable_when_warned(connection):
        connection.execute("DO $$ BEGIN RAISE NOTICE 'just so'; END $$")
    connection.execute("DO $$ BEGIN RAISE WARNING 'before'; END $$")
    with (
        pytest.raises(DatabaseUnavailable, match=r"may not have waited for its standby \(SQLSTATE 01000\)"),
        unavailable_when_warned(connection),
    ):
        connection.execute("DO $$ BEGIN RAISE WARNING 'as at COMMIT'; END $$")
