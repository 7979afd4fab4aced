"""The group commit without its server: it refuses in time, and stores each intake once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial
from uuid import UUID

import psycopg
import pytest

from leadgen.errors import CommitsFail, DatabaseUnavailable, TooFewCopies, UnsafeDurability
from leadgen.store import intake_writer
from leadgen.store.connection import connect
from leadgen.store.intake_writer import IntakeWriter
from leadgen.store.intakes import accept
from leadgen.store.writer_session import DURABLE_SECONDS
from tests.conftest import Database
from tests.integration.freezing import count_unread, frozen
from tests.integration.service import BUSY_SECONDS, until
from tests.integration.store.together import together
from tests.integration.store.writing import count, held_key, make_intake, make_writer


def test_a_locked_table_is_unavailable_and_not_a_held_key(writer: IntakeWriter, database: Database) -> None:
    with psycopg.connect(database.superuser_url) as holder:
        holder.execute("LOCK TABLE app.intake_jobs IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            writer.write(make_intake("k"))
        assert time.monotonic() - started < intake_writer.PATIENCE_SECONDS + BUSY_SECONDS
    assert not writer.write(make_intake("k")).replayed


def test_a_lost_connection_is_repaired_and_the_intake_stored_once(
    writer: IntakeWriter, database: Database
) -> None:
    writer.write(make_intake("before"))
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name LIKE 'leadgen-%'"
        )
    receipts = together(*[partial(lambda n: writer.write(make_intake(f"after-{n}")), n) for n in range(16)])
    assert not any(receipt.replayed for receipt in receipts)
    assert count(database) == 17


def test_a_commit_whose_reply_was_lost_is_not_stored_twice(database: Database) -> None:
    """What the flusher does after a lost reply: the same batch, sent again."""
    batch = [make_intake("keyed"), make_intake(None)]
    with connect(database.api_url, "tests") as connection:
        accept(connection, batch)
        again = accept(connection, batch)
    assert [again[intake.intake_id].replayed for intake in batch] == [False, False]
    assert count(database) == 2


def test_a_stopped_server_is_reported_within_five_seconds_and_used_again_when_back(
    own_postgres: Callable[..., Database],
) -> None:
    database = own_postgres()
    with make_writer(database.api_url) as writer:
        writer.write(make_intake("before"))
        database.server.stop()
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            writer.write(make_intake("during"))
        assert time.monotonic() - started < intake_writer.PATIENCE_SECONDS + BUSY_SECONDS
        database.server.start()
        assert not writer.write(make_intake("after")).replayed


def test_64_clients_with_one_key_across_a_restart_agree_on_one_row(own_postgres: Callable[..., Database]) -> None:
    database = own_postgres()
    stop = threading.Event()

    def insist(writer: IntakeWriter) -> UUID:
        """A client that retries with its key until it is answered."""
        while not stop.is_set():
            try:
                return writer.write(make_intake("same")).intake_id
            except DatabaseUnavailable:
                time.sleep(0.05)
        raise AssertionError("no answer")

    with make_writer(database.api_url) as writer, ThreadPoolExecutor(64) as pool:
        writer.write(make_intake("warm"))
        database.server.stop()
        answers = [pool.submit(insist, writer) for _ in range(64)]
        database.server.start()
        try:
            found = {answer.result(30) for answer in answers}
        finally:
            stop.set()
    assert len(found) == 1
    assert count(database) == 2


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_may_lose_a_commit_is_refused(own_postgres: Callable[..., Database], setting: str) -> None:
    database = own_postgres(**{setting: "off"})
    with make_writer(database.api_url) as writer, pytest.raises(UnsafeDurability, match=f"{setting} = off"):
        writer.write(make_intake("k"))
    assert count(database) == 0


def test_a_server_that_is_made_unsafe_later_is_refused_within_a_second(
    own_postgres: Callable[..., Database],
) -> None:
    database = own_postgres()
    with make_writer(database.api_url) as writer:
        writer.write(make_intake("safe"))
        with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
            superuser.execute("ALTER SYSTEM SET fsync = off")
            superuser.execute("SELECT pg_reload_conf()")
        time.sleep(DURABLE_SECONDS + 0.5)
        with pytest.raises(UnsafeDurability):
            writer.write(make_intake("unsafe"))
    assert count(database) == 1


def test_two_copies_need_a_standby_and_the_refusal_says_what_to_do(database: Database) -> None:
    with make_writer(database.api_url, copies=2) as writer, pytest.raises(TooFewCopies) as refused:
        writer.write(make_intake())
    assert str(refused.value) == (
        "database: synchronous_standby_names is empty, so PostgreSQL waits for no standby and the loss of one "
        "host loses leads; set synchronous_standby_names and reload PostgreSQL, or set LEADGEN_DATABASE_COPIES=1 "
        "if one copy is enough"
    )
    assert count(database) == 0


def test_in_an_outage_one_request_waits_and_the_others_are_refused_at_once(
    own_postgres: Callable[..., Database],
) -> None:
    database = own_postgres()
    with make_writer(database.api_url) as writer, ThreadPoolExecutor(2) as pool:
        database.server.stop()
        with pytest.raises(DatabaseUnavailable):
            writer.write(make_intake())
        # The first of two is let in, the other is refused; which one that is does not matter.
        (refused, waiting) = wait([pool.submit(writer.write, make_intake()) for _ in range(2)], 4, FIRST_COMPLETED)
        with pytest.raises(CommitsFail, match=r"no commit for \d+ s"):
            refused.pop().result()
        database.server.start()
        assert not waiting.pop().result().replayed
        assert not writer.write(make_intake()).replayed


@pytest.mark.alone("the writer waits five seconds, from the first request on")
def test_what_was_refused_while_the_server_was_frozen_is_not_stored_afterwards(
    own_postgres: Callable[..., Database],
) -> None:
    database = own_postgres()
    with make_writer(database.api_url) as writer, ThreadPoolExecutor(50) as pool:
        together(*[partial(lambda n: writer.write(make_intake(f"warm-{n}")), n) for n in range(8)])
        with frozen(database):
            started = time.monotonic()
            attempts = []
            # What is sent may be stored, so each flusher sends one row. The others wait, and are given up.
            for number in range(intake_writer.FLUSHERS):
                attempts.append(pool.submit(writer.write, make_intake()))
                assert until(partial(lambda sent: count_unread(database) == sent, number + 1))
            attempts += [pool.submit(writer.write, make_intake()) for _ in range(40)]
            for attempt in attempts:
                with pytest.raises(DatabaseUnavailable):
                    attempt.result(60)
            assert time.monotonic() - started < intake_writer.PATIENCE_SECONDS + BUSY_SECONDS
        assert not writer.write(make_intake("after")).replayed
    assert count(database) - 9 <= intake_writer.FLUSHERS


@pytest.mark.alone("the writer waits five seconds, from the first request on")
def test_a_request_alone_with_its_key_is_answered_in_time_by_a_frozen_server(
    own_postgres: Callable[..., Database],
) -> None:
    database = own_postgres()
    with make_writer(database.api_url) as writer, ThreadPoolExecutor(1) as pool, held_key(database, "held"):
        started = time.monotonic()
        waiting = pool.submit(writer.write, make_intake("held"))
        time.sleep(0.5)
        with frozen(database):
            with pytest.raises(DatabaseUnavailable):
                waiting.result(10)
            assert time.monotonic() - started < intake_writer.PATIENCE_SECONDS + BUSY_SECONDS


def test_a_server_that_takes_no_writes_is_unavailable_and_used_again_when_it_does(database: Database) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        superuser.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
        with make_writer(database.api_url) as writer:
            with pytest.raises(DatabaseUnavailable):
                writer.write(make_intake("k"))
            superuser.execute(f"ALTER DATABASE {database.name} RESET default_transaction_read_only")
            assert not writer.write(make_intake("k")).replayed
