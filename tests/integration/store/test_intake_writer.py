"""The group commit: one row per key under every race, no harm from other rows, no endless wait."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest

from leadgen.domain.fingerprint import FINGERPRINT_VERSION, fingerprint
from leadgen.domain.intake_id import uuid7
from leadgen.errors import DatabaseUnavailable, IdempotencyKeyHeld
from leadgen.store import intake_writer
from leadgen.store.connection import connect
from leadgen.store.intake_writer import IntakeWriter
from leadgen.store.intakes import Receipt
from tests.conftest import Database
from tests.integration.locks import wait_for_lock
from tests.integration.store.together import together
from tests.integration.store.writing import count, held_key, hold_flushers, make_intake, make_writer


def test_an_intake_is_committed_with_its_queue_entry_when_write_returns(
    writer: IntakeWriter, database: Database
) -> None:
    intake = make_intake("k1")
    receipt = writer.write(intake)
    assert receipt == Receipt(
        intake.intake_id,
        intake.request_id,
        intake.fingerprint,
        FINGERPRINT_VERSION,
        intake.answer,
        replayed=False,
    )
    assert (count(database), count(database, "app.intake_queue")) == (1, 1)


def test_the_same_key_again_returns_the_first_row_and_stores_nothing(
    writer: IntakeWriter, database: Database
) -> None:
    first = writer.write(make_intake("k1"))
    again = writer.write(make_intake("k1"))
    assert (again.intake_id, again.request_id, again.replayed) == (first.intake_id, first.request_id, True)
    assert count(database) == 1


def test_another_payload_under_a_key_is_recognized_by_its_fingerprint(writer: IntakeWriter) -> None:
    writer.write(make_intake("k1", '{"n":1}'))
    receipt = writer.write(make_intake("k1", '{"n":2}'))
    assert receipt.fingerprint == fingerprint('{"n":1}')


def test_one_key_of_two_clients_is_two_intakes(writer: IntakeWriter, database: Database) -> None:
    assert not writer.write(make_intake("k1", client="wordpress")).replayed
    assert not writer.write(make_intake("k1", client="partner")).replayed
    assert count(database) == 2


def test_intakes_without_a_key_are_all_new(writer: IntakeWriter, database: Database) -> None:
    receipts = together(*[lambda: writer.write(make_intake()) for _ in range(20)])
    assert not any(receipt.replayed for receipt in receipts)
    assert count(database) == 20


def test_64_threads_with_one_key_make_one_row_and_agree_on_it(database: Database) -> None:
    with make_writer(database.api_url) as one, make_writer(database.api_url) as other:
        receipts = together(*[partial(lambda w: w.write(make_intake("same")), w) for w in (one, other) * 32])
    assert len({receipt.intake_id for receipt in receipts}) == 1
    assert sum(not receipt.replayed for receipt in receipts) == 1
    assert count(database) == 1


def test_two_writers_with_the_same_keys_in_opposite_order_never_deadlock(database: Database) -> None:
    keys = [f"key-{number:03}" for number in range(500)]
    with (
        make_writer(database.api_url) as one,
        make_writer(database.api_url) as other,
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
    with make_writer(database.api_url) as writer, ThreadPoolExecutor(40) as pool:
        with hold_flushers(database, writer, pool):
            bad = pool.submit(writer.write, make_intake("bad", payload='{"n": not json'))
            good = [pool.submit(writer.write, make_intake(f"good-{number}")) for number in range(32)]
        assert all(not future.result(10).replayed for future in good)
        with pytest.raises(psycopg.DataError):
            bad.result(10)
    assert count(database) == 32 + intake_writer.FLUSHERS


@pytest.mark.alone("a held key waits two seconds")
def test_a_key_held_by_another_transaction_is_refused_after_two_seconds_and_delays_no_other(
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


@pytest.mark.alone("a held key waits two seconds")
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


def test_a_commit_waits_for_the_disk_whatever_the_role_and_the_server_say(database: Database) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        superuser.execute(f"ALTER DATABASE {database.name} SET synchronous_commit = off")
    with connect(database.api_url, "tests") as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


@pytest.mark.alone("a held key waits two seconds")
def test_a_held_key_harms_no_other_and_all_its_requests_get_the_same_error(database: Database) -> None:
    with (
        make_writer(database.api_url) as writer,
        held_key(database, "held"),
        ThreadPoolExecutor(32) as pool,
    ):
        started = time.monotonic()
        same = [pool.submit(writer.write, make_intake("held")) for _ in range(16)]
        neighbours = [pool.submit(writer.write, make_intake(f"free-{number}")) for number in range(16)]
        assert not any(neighbour.result(10).replayed for neighbour in neighbours)
        assert time.monotonic() - started < 2  # what the held key waits
        for waiting in same:
            with pytest.raises(IdempotencyKeyHeld):
                waiting.result(10)
        assert time.monotonic() - started < intake_writer.PATIENCE_SECONDS


@pytest.mark.alone("a held key waits two seconds")
def test_those_who_waited_for_a_key_that_came_free_get_the_same_intake(database: Database) -> None:
    with make_writer(database.api_url) as writer, ThreadPoolExecutor(16) as pool:
        with held_key(database, "held"):
            waiting = [pool.submit(writer.write, make_intake("held")) for _ in range(16)]
            wait_for_lock(database)
            time.sleep(0.5)
        receipts = [future.result(10) for future in waiting]
    assert len({receipt.intake_id for receipt in receipts}) == 1
    assert sum(not receipt.replayed for receipt in receipts) == 1
    assert count(database) == 1


@pytest.mark.alone("a held key waits two seconds")
def test_who_comes_while_a_key_is_waited_for_gets_what_the_first_gets(database: Database) -> None:
    with make_writer(database.api_url) as writer, held_key(database, "held"), ThreadPoolExecutor(2) as pool:
        first = pool.submit(writer.write, make_intake("held"))
        time.sleep(1)
        started = time.monotonic()
        second = pool.submit(writer.write, make_intake("held"))
        for waiting in (first, second):
            with pytest.raises(IdempotencyKeyHeld):
                waiting.result(10)
        assert time.monotonic() - started < 1.9  # the second did not start to wait again


def test_an_intake_without_a_key_never_gets_a_key_held_error(database: Database) -> None:
    """Its own earlier try, on a connection that was lost, may still hold its id."""
    intake = make_intake(None)
    with make_writer(database.api_url) as writer, psycopg.connect(database.superuser_url) as holder:
        holder.execute(
            "INSERT INTO app.intake_jobs VALUES (%s, %s, 'x', null, '\\x00', 1, '{}', null, null)",
            [intake.intake_id, intake.request_id],
        )
        with pytest.raises(DatabaseUnavailable):
            writer.write(intake)


def test_a_connection_lost_while_a_group_is_taken_apart_loses_no_intake(database: Database) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        superuser.execute(KILL_ONCE)
    with make_writer(database.api_url) as writer, ThreadPoolExecutor(24) as pool:
        with hold_flushers(database, writer, pool):
            bad = pool.submit(writer.write, make_intake("bad", payload='{"n": not json'))
            killer = pool.submit(writer.write, make_intake("killer"))
            good = [pool.submit(writer.write, make_intake(f"late-{number}")) for number in range(16)]
        assert not any(future.result(10).replayed for future in [killer, *good])
        with pytest.raises(psycopg.DataError):
            bad.result(10)
    with psycopg.connect(database.superuser_url) as superuser:
        assert superuser.execute("SELECT last_value FROM app.kills").fetchone() != (1,)  # it did happen
    assert count(database) == 17 + intake_writer.FLUSHERS


def test_an_intake_that_was_neither_stored_nor_found_is_tried_again(database: Database) -> None:
    """As when the row of its key is removed between the two statements."""
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        superuser.execute(SKIP_ONCE)
    with make_writer(database.api_url) as writer:
        assert not writer.write(make_intake("skipped")).replayed
    assert count(database) == 1


SKIP_ONCE = """
CREATE SEQUENCE app.skips;
GRANT USAGE ON app.skips TO motorcade_api;
CREATE FUNCTION app.skip_once() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF nextval('app.skips') = 1 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER skip_once BEFORE INSERT ON app.intake_jobs FOR EACH ROW EXECUTE FUNCTION app.skip_once();
"""


# The first insert of the key `killer` that comes so far ends its own session.
KILL_ONCE = """
CREATE SEQUENCE app.kills;
GRANT USAGE ON app.kills TO motorcade_api;
CREATE FUNCTION app.kill_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('app.kills') = 1 THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER kill_once BEFORE INSERT ON app.intake_jobs
FOR EACH ROW WHEN (NEW.idempotency_key = 'killer') EXECUTE FUNCTION app.kill_once();
"""
