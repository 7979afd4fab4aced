"""The sweeper alone turns every intake into a lead, whatever becomes of Redis and PostgreSQL."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from leadgen.errors import DatabaseUnavailable
from leadgen.jobs.sweeper import ANSWER_SECONDS, OVERDUE_SECONDS, POLL_SECONDS, Sweeper
from leadgen.store import heartbeats, queue
from leadgen.store.connection import connect
from leadgen.store.migrations import migrate
from tests.conftest import Database
from tests.integration.freezing import frozen
from tests.integration.outbox import Outbox
from tests.integration.service import BUSY_SECONDS, SOON_SECONDS, Service, until
from tests.integration.stopwatch import quickest, took


@pytest.fixture
def running(outbox: Outbox) -> Iterator[Sweeper]:
    """A sweeper at work in a thread."""
    sweeper = Sweeper(outbox.url, "test")
    thread = threading.Thread(target=sweeper.run)
    thread.start()
    assert until(lambda: outbox.sessions("sweeper"))
    yield sweeper
    sweeper.stop()
    thread.join()


@pytest.mark.alone("a poll would come half a second later")
@pytest.mark.usefixtures("running")
def test_a_ring_through_postgres_is_answered_at_once(outbox: Outbox) -> None:
    accepted = outbox.leads()

    def ring() -> None:
        queue.notify(outbox.app)
        assert until(lambda: outbox.leads() == accepted)

    def accept_and_ring() -> float:
        time.sleep(0.1)
        accepted.extend(outbox.accept_many(3))
        return took(ring)

    assert quickest(0.4, accept_and_ring) < 0.4, "it came at the next poll, not at the ring"


@pytest.mark.usefixtures("running")
def test_without_any_ring_an_intake_is_found_once_it_is_overdue(outbox: Outbox) -> None:
    accepted = outbox.accept_many(3)
    start = time.monotonic()
    assert until(lambda: outbox.leads() == accepted)
    assert OVERDUE_SECONDS - 0.1 < time.monotonic() - start < OVERDUE_SECONDS + BUSY_SECONDS


def test_what_is_not_overdue_is_left_to_the_worker(outbox: Outbox) -> None:
    outbox.accept_many(2)
    with closing(Sweeper(outbox.url, "test")) as sweeper:
        assert sweeper.run_once() == 0
        outbox.age(OVERDUE_SECONDS)
        assert sweeper.run_once() == 2
        assert sweeper.run_once() == 0


def test_a_long_backlog_is_drained_in_one_go(outbox: Outbox) -> None:
    accepted = [intake_id for _ in range(3) for intake_id in outbox.accept_many(500)]
    outbox.age(OVERDUE_SECONDS)
    with closing(Sweeper(outbox.url, "test")) as sweeper:
        assert sweeper.run_once() == 1500
    assert outbox.leads() == accepted


@pytest.mark.usefixtures("running")
def test_it_leaves_a_sign_of_life(outbox: Outbox) -> None:
    assert until(lambda: heartbeats.get_ages(outbox.app))
    assert heartbeats.get_ages(outbox.app)["sweeper"] < 1
    assert outbox.owner.execute("SELECT service, release FROM app.heartbeats").fetchall() == [("sweeper", "test")]


def test_a_sign_of_life_replaces_the_one_before(outbox: Outbox) -> None:
    heartbeats.beat(outbox.app, "sweeper", "old")
    outbox.owner.execute("UPDATE app.heartbeats SET beat_at = now() - interval '1 hour'")
    assert heartbeats.get_ages(outbox.app)["sweeper"] > 3_599
    heartbeats.beat(outbox.app, "sweeper", "new")
    assert heartbeats.get_ages(outbox.app)["sweeper"] < 1


@pytest.mark.usefixtures("running")
def test_a_lost_connection_is_replaced(outbox: Outbox) -> None:
    outbox.app.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'leadgen-sweeper' AND datname = current_database()"
    )
    accepted = outbox.accept_many(2)
    assert until(lambda: outbox.leads() == accepted)


def test_it_outlives_a_restart_of_postgres_and_drains_what_came_before(
    own_postgres: Callable[..., Database], tmp_path: Path
) -> None:
    database = own_postgres()
    with Outbox(database) as outbox:
        before = outbox.accept_many(2)
    with Service(tmp_path, "sweep", database_url=database.app_url) as sweeper:
        assert until(lambda: "sweeper_started" in sweeper.log)
        database.server.stop()
        assert until(lambda: "sweep_failed" in sweeper.log)
        time.sleep(1)
        assert sweeper.process.poll() is None
        database.server.start()
        with Outbox(database) as outbox:
            after = outbox.accept_many(2)
            assert until(lambda: outbox.leads() == before + after)
        assert database.app_url not in sweeper.log


def test_it_waits_for_a_postgres_that_is_not_there_yet(
    own_postgres: Callable[..., Database], tmp_path: Path
) -> None:
    database = own_postgres()
    with Outbox(database) as outbox:
        accepted = outbox.accept_many(2)
    database.server.stop()
    with Service(tmp_path, "sweep", database_url=database.app_url) as sweeper:
        assert until(lambda: "sweep_failed" in sweeper.log)
        database.server.start()
        with Outbox(database) as outbox:
            assert until(lambda: outbox.leads() == accepted)


def test_it_outlives_a_postgres_that_takes_no_writes_and_drains_once_it_does(
    own_postgres: Callable[..., Database], tmp_path: Path
) -> None:
    database = own_postgres()
    with Outbox(database) as outbox:
        accepted = outbox.accept_many(2)
    database.server.stop()
    standby = database.server.home / "data" / "standby.signal"
    standby.touch()
    database.server.start()
    with Service(tmp_path, "sweep", database_url=database.app_url) as sweeper:
        assert until(lambda: "sweep_failed" in sweeper.log)
        time.sleep(1)
        assert sweeper.process.poll() is None
        assert "SQLSTATE 25006" in sweeper.log
        database.server.stop()
        standby.unlink()
        database.server.start()
        with Outbox(database) as outbox:
            assert until(lambda: outbox.leads() == accepted)


def test_it_outlives_a_schema_that_is_not_there_yet(bare_database: Database, tmp_path: Path) -> None:
    with Service(tmp_path, "sweep", database_url=bare_database.app_url) as sweeper:
        assert until(lambda: "sweep_failed" in sweeper.log)
        time.sleep(2)
        assert sweeper.log.count("sweep_failed") == 1, "logged once, not at every try"
        migrate(bare_database.owner_url, report=lambda _: None)
        assert until(lambda: "sweep_recovered" in sweeper.log)
        with Outbox(bare_database) as outbox:
            accepted = outbox.accept_many(2)
            assert until(lambda: outbox.leads() == accepted)


def test_a_signal_ends_it_within_seconds_while_postgres_is_frozen(
    own_postgres: Callable[..., Database], tmp_path: Path
) -> None:
    database = own_postgres()
    with Service(tmp_path, "sweep", database_url=database.app_url) as sweeper, Outbox(database) as outbox:
        assert until(lambda: heartbeats.get_ages(outbox.app))
        with frozen(database):
            time.sleep(POLL_SECONDS)
            start = time.monotonic()
            sweeper.send(signal.SIGTERM)
            assert sweeper.exit_code() == 0
            assert time.monotonic() - start < ANSWER_SECONDS + BUSY_SECONDS


def test_it_goes_on_when_a_frozen_postgres_wakes_up(own_postgres: Callable[..., Database], tmp_path: Path) -> None:
    database = own_postgres()
    with Service(tmp_path, "sweep", database_url=database.app_url) as sweeper, Outbox(database) as outbox:
        assert until(lambda: heartbeats.get_ages(outbox.app))
        accepted = outbox.accept_many(2)
        with frozen(database):
            assert until(lambda: "sweep_failed" in sweeper.log)
        assert until(lambda: outbox.leads() == accepted)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_sweeper_soon(outbox: Outbox, tmp_path: Path, number: int) -> None:
    def end_one() -> float:
        with Service(tmp_path, "sweep", database_url=outbox.url) as sweeper:
            assert until(lambda: "sweeper_started" in sweeper.log)
            assert until(lambda: outbox.sessions("sweeper"))
            sweeper.send(number)
            seconds = took(sweeper.exit_code)
            assert sweeper.process.returncode == 0
            lines = [json.loads(line) for line in sweeper.log.splitlines()]
        assert [line["event"] for line in lines] == ["sweeper_started", "sweeper_stopped"]
        return seconds

    assert quickest(SOON_SECONDS, end_one) < SOON_SECONDS


def test_a_signal_in_mid_batch_lets_the_batch_finish_and_takes_no_other(outbox: Outbox, tmp_path: Path) -> None:
    accepted = outbox.accept_many(500) + outbox.accept_many(500)
    outbox.age(OVERDUE_SECONDS)
    with Service(tmp_path, "sweep", database_url=outbox.url) as sweeper:
        with outbox.owner.transaction():
            outbox.owner.execute("LOCK TABLE app.leads")
            assert until(lambda: outbox.waits_for_lock("sweeper"))
            sweeper.send(signal.SIGTERM)
            time.sleep(0.2)
            assert sweeper.process.poll() is None
        assert sweeper.exit_code() == 0
    assert outbox.leads() == accepted[:500]
    assert set(outbox.attempts().values()) == {(0, None)}


def test_one_sweep_by_hand_drains_everything_and_says_how_much(outbox: Outbox, tmp_path: Path) -> None:
    outbox.accept_many(3)
    outbox.accept({"contact": {}})
    with Service(tmp_path, "sweep", "--once", database_url=outbox.url) as sweep:
        assert sweep.exit_code() == 0
        assert sweep.log.splitlines()[-1] == "3 leads, 1 put off, 0 dead"


def test_a_sweep_by_hand_of_a_database_that_is_away_says_so(
    own_postgres: Callable[..., Database], tmp_path: Path
) -> None:
    database = own_postgres()
    database.server.stop()
    with Service(tmp_path, "sweep", "--once", database_url=database.app_url) as sweep:
        assert sweep.exit_code() == 1
        assert sweep.log.startswith("database: PostgreSQL refused or lost the connection")


def test_listening_on_a_broken_connection_raises_our_error(outbox: Outbox) -> None:
    with connect(outbox.url, "victim") as victim:
        queue.listen(victim)
        outbox.app.execute("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid])
        with pytest.raises(DatabaseUnavailable):
            queue.wait_for_ring(victim, seconds=5)
