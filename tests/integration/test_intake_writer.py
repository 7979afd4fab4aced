"""The group commit: one row a key under every race, nobody harmed by a neighbour, no wait without an end."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest

from leadgen.domain.fingerprint import FINGERPRINT_VERSION, fingerprint
from leadgen.domain.intake_id import uuid7
from leadgen.errors import DatabaseUnavailable, IdempotencyKeyHeld, UnsafeDurability
from leadgen.store import intake_writer
from leadgen.store.connection import Database as Pool
from leadgen.store.connection import connect
from leadgen.store.intake_writer import IntakeWriter
from leadgen.store.intakes import Intake, Receipt, accept
from tests.conftest import Database


def make_intake(key: str | None = None, payload: str = '{"n":1}', client: str = "wordpress") -> Intake:
    return Intake(
        intake_id=uuid7(),
        request_id=uuid7(),
        client_id=client,
        idempotency_key=key,
        fingerprint=fingerprint(payload),
        fingerprint_version=FINGERPRINT_VERSION,
        payload=payload,
        email="a@example.com",
        phone_e164=None,
    )


@contextmanager
def make_writer(url: str, observe: Callable[[int], None] = lambda _: None) -> Iterator[IntakeWriter]:
    pool = Pool(url, "tests")
    writer = IntakeWriter(url, pool, observe=observe)
    yield writer
    writer.close()
    pool.close()


@pytest.fixture
def writer(database: Database) -> Iterator[IntakeWriter]:
    with make_writer(database.app_url) as made:
        yield made


def count(database: Database, table: str = "app.intake_jobs") -> int:
    with psycopg.connect(database.superuser_url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row
    return int(row[0])


def together(calls: list[Callable[[], Receipt]]) -> list[Receipt]:
    """Run all calls at the same moment, each in its thread."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], Receipt]) -> Receipt:
        gate.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_an_intake_is_committed_with_its_queue_entry_when_write_returns(
    writer: IntakeWriter, database: Database
) -> None:
    intake = make_intake("k1")
    receipt = writer.write(intake)
    assert receipt == Receipt(
        intake.intake_id, intake.request_id, intake.fingerprint, FINGERPRINT_VERSION, replayed=False
    )
    assert (count(database), count(database, "app.intake_queue")) == (1, 1)


def test_the_same_key_again_returns_the_first_row_and_stores_nothing(
    writer: IntakeWriter, database: Database
) -> None:
    first = writer.write(make_intake("k1"))
    again = writer.write(make_intake("k1"))
    assert (again.intake_id, again.request_id, again.replayed) == (first.intake_id, first.request_id, True)
    assert count(database) == 1


def test_another_payload_under_a_key_is_told_by_its_fingerprint(writer: IntakeWriter) -> None:
    writer.write(make_intake("k1", '{"n":1}'))
    receipt = writer.write(make_intake("k1", '{"n":2}'))
    assert receipt.fingerprint == fingerprint('{"n":1}')


def test_one_key_of_two_clients_is_two_intakes(writer: IntakeWriter, database: Database) -> None:
    assert not writer.write(make_intake("k1", client="wordpress")).replayed
    assert not writer.write(make_intake("k1", client="partner")).replayed
    assert count(database) == 2


def test_intakes_without_a_key_are_all_new(writer: IntakeWriter, database: Database) -> None:
    receipts = together([lambda: writer.write(make_intake()) for _ in range(20)])
    assert not any(receipt.replayed for receipt in receipts)
    assert count(database) == 20


def test_64_threads_with_one_key_make_one_row_and_agree_on_it(database: Database) -> None:
    with make_writer(database.app_url) as one, make_writer(database.app_url) as other:
        calls = [lambda w=w: w.write(make_intake("same")) for w in (one, other) * 32]
        receipts = together(calls)
    assert len({receipt.intake_id for receipt in receipts}) == 1
    assert sum(not receipt.replayed for receipt in receipts) == 1
    assert count(database) == 1


def test_two_writers_with_the_same_keys_in_opposite_order_never_deadlock(database: Database) -> None:
    keys = [f"key-{number:03}" for number in range(500)]
    with (
        make_writer(database.app_url) as one,
        make_writer(database.app_url) as other,
        ThreadPoolExecutor(64) as pool,
    ):
        forward = [pool.submit(one.write, make_intake(key)) for key in keys]
        backward = [pool.submit(other.write, make_intake(key)) for key in reversed(keys)]
        receipts = [future.result(30) for future in forward + backward]
    assert sum(not receipt.replayed for receipt in receipts) == 500
    assert count(database) == 500
    with psycopg.connect(database.superuser_url) as connection:
        row = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row == (0,)


def test_a_bad_row_in_a_group_fails_alone(database: Database) -> None:
    sizes: list[int] = []
    with (
        make_writer(database.app_url, sizes.append) as writer,
        hold_flushers(database),
        ThreadPoolExecutor(33) as pool,
    ):
        bad = pool.submit(writer.write, make_intake("bad", payload='{"n": not json'))
        good = [pool.submit(writer.write, make_intake(f"good-{number}")) for number in range(32)]
        assert all(not future.result(10).replayed for future in good)
        with pytest.raises(psycopg.DataError):
            bad.result(10)
    assert count(database) == 32


def test_a_key_held_by_another_transaction_is_refused_after_two_seconds_and_delays_nobody(
    writer: IntakeWriter, database: Database
) -> None:
    with psycopg.connect(database.superuser_url) as holder:
        holder.execute(
            "INSERT INTO app.intake_jobs VALUES (%s, %s, 'wordpress', 'held', '\\x00', 1, '{}', null, null)",
            [uuid7(), uuid7()],
        )
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(writer.write, make_intake("held"))
            slowest = 0.0
            for number in range(50):
                started = time.monotonic()
                writer.write(make_intake(f"free-{number}"))
                slowest = max(slowest, time.monotonic() - started)
            with pytest.raises(IdempotencyKeyHeld):
                held.result(5)
        assert slowest < 1  # far below the 2 s that the held key waits
        holder.rollback()
    assert not writer.write(make_intake("held")).replayed


def test_a_key_whose_holder_rolls_back_in_time_is_stored(writer: IntakeWriter, database: Database) -> None:
    with psycopg.connect(database.superuser_url) as holder:
        holder.execute(
            "INSERT INTO app.intake_jobs VALUES (%s, %s, 'wordpress', 'held', '\\x00', 1, '{}', null, null)",
            [uuid7(), uuid7()],
        )
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(writer.write, make_intake("held"))
            wait_for_lock(database)
            holder.rollback()
            assert not waiting.result(5).replayed
    assert count(database) == 1


def test_a_locked_table_is_unavailable_and_not_a_held_key(writer: IntakeWriter, database: Database) -> None:
    with psycopg.connect(database.superuser_url) as holder:
        holder.execute("LOCK TABLE app.intake_jobs IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            writer.write(make_intake("k"))
        assert time.monotonic() - started < intake_writer.PATIENCE_SECONDS + 1
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
    receipts = together([lambda n=n: writer.write(make_intake(f"after-{n}")) for n in range(16)])
    assert not any(receipt.replayed for receipt in receipts)
    assert count(database) == 17


def test_a_commit_whose_reply_was_lost_is_not_stored_twice(database: Database) -> None:
    """What the flusher does after a lost reply: the same batch, sent again."""
    batch = [make_intake("keyed"), make_intake(None)]
    with connect(database.app_url, "tests") as connection:
        accept(connection, batch)
        again = accept(connection, batch)
    assert [again[intake.intake_id].replayed for intake in batch] == [False, False]
    assert count(database) == 2


def test_a_stopped_server_is_told_within_five_seconds_and_used_again_when_back(
    own_postgres: Callable[..., Database],
) -> None:
    database = own_postgres()
    with make_writer(database.app_url) as writer:
        writer.write(make_intake("before"))
        database.server.stop()
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            writer.write(make_intake("during"))
        assert time.monotonic() - started < intake_writer.PATIENCE_SECONDS + 0.5
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
        raise AssertionError("nobody answered")

    with make_writer(database.app_url) as writer, ThreadPoolExecutor(64) as pool:
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


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_may_lose_a_commit_is_refused(own_postgres: Callable[..., Database], setting: str) -> None:
    database = own_postgres(**{setting: "off"})
    with make_writer(database.app_url) as writer, pytest.raises(UnsafeDurability, match=f"{setting} = off"):
        writer.write(make_intake("k"))
    assert count(database) == 0


@contextmanager
def hold_flushers(database: Database) -> Iterator[None]:
    """Lock the table until a few requests have piled up behind the flushers, so that they form one group."""
    with psycopg.connect(database.superuser_url) as holder:
        holder.execute("LOCK TABLE app.intake_jobs IN ACCESS EXCLUSIVE MODE")
        release = threading.Timer(0.08, holder.rollback)
        release.start()
        yield
        release.join()


def wait_for_lock(database: Database) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        for _ in range(200):
            row = superuser.execute(
                "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.datname = current_database() "
                "WHERE NOT granted"
            ).fetchone()
            if row and row[0]:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")
