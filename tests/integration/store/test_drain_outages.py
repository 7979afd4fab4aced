"""PostgreSQL failing under a drain: no attempt is counted, nothing is lost, and the drain ends in time."""

import threading
import time
from collections.abc import Callable

import pytest

from leadgen.errors import DatabaseUnavailable, LeadgenError
from leadgen.jobs.batches import drain_batches
from leadgen.jobs.drain import run_once
from leadgen.store import connection as connections
from leadgen.store import queue
from leadgen.store.connection import Limits, connect
from leadgen.store.queue import BATCH, BATCH_SECONDS, Drained
from tests.conftest import Database
from tests.integration.freezing import frozen
from tests.integration.outbox import READ, Outbox, lead_with
from tests.integration.service import BUSY_SECONDS, until


def test_missing_rights_do_not_count_as_an_attempt_and_raise_our_error(outbox: Outbox) -> None:
    (intake_id,) = outbox.accept(READ)
    outbox.owner.execute("REVOKE INSERT ON app.leads FROM motorcade_app")
    with pytest.raises(LeadgenError) as caught:
        queue.drain_with_suspects(outbox.app)
    assert str(caught.value) == (
        "database: the schema lacks a table, column or privilege that this release needs (SQLSTATE 42501);"
        " run `leadgen migrate`; `leadgen migrate --dry-run` shows what is pending"
    )
    assert outbox.attempts() == {intake_id: (0, None)}


def test_a_statement_that_does_not_fit_the_schema_is_not_an_attempt_and_raises_our_error(outbox: Outbox) -> None:
    (intake_id,) = outbox.accept(READ)
    outbox.owner.execute("ALTER TABLE app.leads DROP CONSTRAINT leads_intake_id_key")
    with pytest.raises(LeadgenError) as caught:
        queue.drain_with_suspects(outbox.app)
    assert str(caught.value) == (
        "queue: PostgreSQL rejected the statement (SQLSTATE 42P10);"
        " compare the schema with this release: `leadgen migrate --dry-run`"
    )
    assert outbox.attempts() == {intake_id: (0, None)}


def test_waiting_too_long_for_a_lock_does_not_count_as_an_attempt(outbox: Outbox) -> None:
    (intake_id,) = outbox.accept(READ)
    with outbox.owner.transaction(), connect(outbox.url, "tests", Limits(lock_ms=50)) as impatient:
        outbox.owner.execute("LOCK TABLE app.leads")
        with pytest.raises(DatabaseUnavailable):
            queue.drain_with_suspects(impatient)
    assert outbox.attempts() == {intake_id: (0, None)}
    assert queue.drain_with_suspects(outbox.app).leads == 1


def test_a_fault_of_the_server_while_suspects_are_halved_does_not_count_as_an_attempt(outbox: Outbox) -> None:
    outbox.owner.execute(
        """
        CREATE FUNCTION app.fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT count(*) FROM new_leads) > 1 THEN
                RAISE EXCEPTION 'a row is at fault';
            END IF;
            RAISE disk_full;
        END $$;
        CREATE TRIGGER fail AFTER INSERT ON app.leads REFERENCING NEW TABLE AS new_leads
        FOR EACH STATEMENT EXECUTE FUNCTION app.fail();
        """
    )
    accepted = outbox.accept_many(4)
    with pytest.raises(DatabaseUnavailable):
        queue.drain_with_suspects(outbox.app)
    assert outbox.attempts() == dict.fromkeys(accepted, (0, None))
    assert outbox.leads() == []


@pytest.mark.alone("a statement has 200 ms")
def test_a_batch_that_takes_postgres_too_long_is_drained_in_smaller_ones(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    make_leads_slow(outbox, most=40)
    accepted = outbox.accept_many(BATCH)
    (bad,) = outbox.accept(lead_with(headcount="ten"))
    with connect(outbox.url, "tests", Limits(statement_ms=200)) as impatient:
        total = sum(drain_batches(impatient), start=Drained())
    assert outbox.leads() == accepted
    assert (total.leads, total.put_off, total.buried) == (BATCH, 1, 0)
    assert outbox.attempts() == {bad: (1, "22P02 InvalidTextRepresentation")}
    assert caplog.messages.count("batch_too_slow") == 4, "500, 250, 125 and 62; from then on 31"


def test_a_single_row_that_takes_postgres_too_long_does_not_count_as_an_attempt(outbox: Outbox) -> None:
    make_leads_slow(outbox, most=0)
    (intake_id,) = outbox.accept(READ)
    with connect(outbox.url, "tests", Limits(statement_ms=50)) as impatient, pytest.raises(DatabaseUnavailable):
        list(drain_batches(impatient))
    assert outbox.attempts() == {intake_id: (0, None)}


def test_a_caller_may_stop_while_the_batches_shrink(outbox: Outbox) -> None:
    make_leads_slow(outbox, most=0)
    outbox.accept(READ)
    with connect(outbox.url, "tests", Limits(statement_ms=50)) as impatient:
        assert next(drain_batches(impatient)) == Drained()


def test_a_drainer_that_loses_its_connection_in_mid_batch_leaves_everything_as_it_was(outbox: Outbox) -> None:
    accepted = outbox.accept_many(3)
    failures: list[Exception] = []
    victim = connect(outbox.url, "victim")

    def drain() -> None:
        try:
            queue.drain_with_suspects(victim)
        except DatabaseUnavailable as error:
            failures.append(error)

    drainer = threading.Thread(target=drain)
    with outbox.owner.transaction():
        outbox.owner.execute("LOCK TABLE app.leads")
        drainer.start()
        assert until(lambda: outbox.waits_for_lock("victim"))
        outbox.app.execute("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid])
        drainer.join()
    victim.close()
    assert len(failures) == 1
    assert outbox.attempts() == dict.fromkeys(accepted, (0, None))
    assert queue.drain_batch(outbox.app) == 3


def test_a_job_on_a_postgres_that_froze_ends_in_time(own_postgres: Callable[..., Database]) -> None:
    database = own_postgres()
    pool = connections.Database(database.app_url, "tests")
    with pool.connection():
        pass
    with frozen(database):
        start = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            run_once(pool)
        assert time.monotonic() - start < BATCH_SECONDS + BUSY_SECONDS
    pool.close()


def test_a_postgres_that_freezes_in_mid_batch_is_given_up_in_time(own_postgres: Callable[..., Database]) -> None:
    database = own_postgres()
    with Outbox(database) as outbox, frozen(database):
        start = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            next(drain_batches(outbox.app))
        assert time.monotonic() - start < BATCH_SECONDS + BUSY_SECONDS


def make_leads_slow(outbox: Outbox, *, most: int) -> None:
    """Let PostgreSQL take a second for more leads in one statement than this."""
    outbox.owner.execute(
        f"""
        CREATE FUNCTION app.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT count(*) FROM new_leads) > {most} THEN
                PERFORM pg_sleep(1);
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER dawdle AFTER INSERT ON app.leads REFERENCING NEW TABLE AS new_leads
        FOR EACH STATEMENT EXECUTE FUNCTION app.dawdle();
        """
    )
