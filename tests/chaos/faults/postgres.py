"""Faults of PostgreSQL itself: its processes, its connections, its locks and its settings."""

import contextlib
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql

from tests.chaos.faults.freezing import frozen
from tests.chaos.faults.kind import fault
from tests.chaos.leads import dice, make_key
from tests.chaos.load import Load
from tests.chaos.stack import CLIENT, Stack

TRY_SECONDS: Final = 30
OURS: Final = "application_name LIKE 'leadgen-%'"


@fault("postgres")
def a_writers_backend_killed(stack: Stack, _: Load) -> Iterator[None]:
    """PostgreSQL then ends all other backends, too, and recovers as after a crash."""
    pids = _ask(stack, "SELECT pid FROM pg_stat_activity WHERE application_name = 'leadgen-api-writer'")
    for process in stack.processes("postgres"):
        if process.pid in pids[:1]:
            process.signal(signal.SIGKILL)
    yield


@fault("postgres")
def every_session_ended(stack: Stack, _: Load) -> Iterator[None]:
    _ask(stack, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}")
    yield


@fault("postgres")
def postmaster_killed(stack: Stack, _: Load) -> Iterator[None]:
    _signal_postmaster(stack, signal.SIGKILL)
    yield


@fault("postgres")
def postgres_shut_down_at_once(stack: Stack, _: Load) -> Iterator[None]:
    _signal_postmaster(stack, signal.SIGQUIT)
    yield


@fault("postgres", seconds=5, shows="postgres")
def postgres_away(stack: Stack, _: Load) -> Iterator[None]:
    with stack.kept["postgres"].away():
        yield


@fault("postgres", seconds=30, shows="postgres")
def postgres_away_for_long(stack: Stack, _: Load) -> Iterator[None]:
    with stack.kept["postgres"].away():
        yield


@fault("postgres", seconds=4)
def postgres_frozen(stack: Stack, _: Load) -> Iterator[None]:
    with frozen(stack.processes("postgres")):
        yield


@fault("postgres", seconds=4)
def connections_exhausted(stack: Stack, _: Load) -> Iterator[None]:
    with ExitStack() as taken:
        first = taken.enter_context(contextlib.closing(stack.superuser()))
        for _round in range(3):  # ours come back in between
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    taken.enter_context(contextlib.closing(stack.superuser()))
            first.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}")
        yield


@fault("postgres", seconds=3)
def intakes_locked(stack: Stack, _: Load) -> Iterator[None]:
    with _holding(stack, "LOCK TABLE app.intake_jobs IN ACCESS EXCLUSIVE MODE"):
        yield


@fault("postgres", seconds=3)
def queue_locked(stack: Stack, _: Load) -> Iterator[None]:
    with _holding(stack, "LOCK TABLE app.intake_queue IN ACCESS EXCLUSIVE MODE"):
        yield


@fault("postgres", seconds=4, isolated=True)
def leads_locked(stack: Stack, _: Load) -> Iterator[None]:
    with _holding(stack, "LOCK TABLE app.leads IN ACCESS EXCLUSIVE MODE"):
        yield


@fault("postgres", seconds=4, isolated=True)
def a_transaction_that_does_not_end(stack: Stack, _: Load) -> Iterator[None]:
    with _holding(stack, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT txid_current()"):
        yield


@fault("postgres", seconds=3, isolated=True)
def a_key_held_by_another_writer(stack: Stack, load: Load) -> Iterator[set[str]]:
    """A request with that key waits, and gets a 409 or 503; no other request is affected."""
    key = make_key(dice(uuid4()))
    insert = sql.SQL(
        "INSERT INTO app.intake_jobs (intake_id, request_id, client_id, idempotency_key, fingerprint,"
        " fingerprint_version, payload) VALUES (gen_random_uuid(), gen_random_uuid(), {}, {}, '', 1, '{{}}')"
    )
    # Wait for the callers after the key is free.
    with ThreadPoolExecutor() as callers, _holding(stack, insert.format(CLIENT, key)):
        for _ in range(3):
            callers.submit(load.send, key)
        yield {key}


@fault("postgres", seconds=8, shows="postgres", needs_disk=True)
def disk_full(stack: Stack, _: Load) -> Iterator[None]:
    """The metrics' directory was given on this disk, too: no process may die of it, so no connection breaks."""
    assert stack.disk
    with stack.disk.full():
        yield


@fault("postgres", seconds=3)
def postgres_read_only(stack: Stack, _: Load) -> Iterator[None]:
    with _set(stack, "default_transaction_read_only", "on"):
        yield


@fault("postgres", seconds=5, refuses=True)
def postgres_told_to_be_unsafe(stack: Stack, _: Load) -> Iterator[None]:
    """A commit might not survive a power cut, so a 202 could be false."""
    with _set(stack, "full_page_writes", "off"):
        yield


def _signal_postmaster(stack: Stack, number: signal.Signals) -> None:
    pid = stack.postgres.pid
    for process in stack.processes("postgres"):
        if process.pid == pid:
            process.signal(number)


@contextmanager
def _holding(stack: Stack, *statements: str | sql.Composed) -> Iterator[None]:
    """A transaction that stays open during the block and leaves nothing."""
    with contextlib.closing(stack.superuser()) as connection:
        connection.execute("BEGIN")
        for statement in statements:
            connection.execute(statement)
        yield
        with contextlib.suppress(psycopg.OperationalError):  # another fault ended it
            connection.execute("ROLLBACK")


@contextmanager
def _set(stack: Stack, name: str, value: str) -> Iterator[None]:
    """A setting of the whole server, effective for existing sessions, too."""
    try:
        _ask(stack, f"ALTER SYSTEM SET {name} = {value}", "SELECT pg_reload_conf()")
        while _ask(stack, f"SHOW {name}") != [value]:
            time.sleep(0.05)
        yield
    finally:
        _ask(stack, f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")


def _ask(stack: Stack, *statements: str) -> list[Any]:
    """The first column of the last statement, as soon as PostgreSQL answers."""
    until = time.monotonic() + TRY_SECONDS
    while True:
        try:
            with contextlib.closing(stack.superuser()) as connection:
                for statement in statements:
                    cursor = connection.execute(statement)
                return [row[0] for row in cursor.fetchall()] if cursor.description else []
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
