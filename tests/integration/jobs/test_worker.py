"""RQ's own worker, run as `leadgen worker`: drains when it is rung for, and dies without harm."""

import json
import os
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from redis import Redis
from rq import Callback, Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from leadgen.cli import leadgen
from leadgen.dev.redis import BELL, OPERATOR, WORKER, EmbeddedRedis
from leadgen.jobs.doorbell import RedisDoorbell
from leadgen.jobs.rq_bell import DRAIN, QUEUE
from leadgen.store.migrations import migrate
from leadgen.store.queue import BATCH_SECONDS
from tests.conftest import Database
from tests.integration.freezing import frozen
from tests.integration.outbox import Outbox, lead_with
from tests.integration.service import BUSY_SECONDS, SOON_SECONDS, Service, until
from tests.integration.stopwatch import quickest, took


@pytest.fixture
def doorbell(redis_server: EmbeddedRedis, redis_url: str) -> Iterator[RedisDoorbell]:  # noqa: ARG001 - emptied by it
    doorbell = RedisDoorbell(redis_server.url(BELL), lambda: None, lambda: pytest.fail("Redis was not used"))
    yield doorbell
    doorbell.close()


@pytest.fixture
def start_worker(outbox: Outbox, redis_url: str, tmp_path: Path) -> Callable[[], Service]:
    return lambda: Service(tmp_path, "worker", database_url=outbox.url, redis_url=redis_url)


def is_live(doorbell: RedisDoorbell) -> bool:
    return doorbell.status()["worker"] == "ok"


def test_the_command_line_is_that_of_rq_with_a_worker_of_ours() -> None:
    result = CliRunner().invoke(leadgen, ["worker", "--print"])
    assert shlex.split(result.output) == (
        "rq worker -c leadgen.jobs.rq_settings -w leadgen.jobs.rq_worker.Worker -S json"
        " -j leadgen.jobs.rq_worker.DrainJob --max-jobs 1000 --worker-ttl 20 intake"
    ).split(" ")


def test_a_missing_setting_is_reported_in_our_own_message() -> None:
    result = CliRunner(env={"LEADGEN_REDIS_URL": None}).invoke(leadgen, ["worker"])
    assert result.exit_code == 1
    assert "LEADGEN_REDIS_URL is not set" in result.output


def test_it_makes_leads_when_it_is_rung_for(
    outbox: Outbox, doorbell: RedisDoorbell, start_worker: Callable[[], Service]
) -> None:
    with start_worker() as worker:
        assert until(lambda: is_live(doorbell))
        accepted = outbox.accept_many(3)
        doorbell.ring()
        assert until(lambda: outbox.leads() == accepted)
        accepted += outbox.accept_many(2)
        doorbell.ring()
        assert until(lambda: outbox.leads() == accepted)
        assert until(lambda: worker.log.count('"drained"') == 2)  # it is written after the commit
        lines = [json.loads(line) for line in worker.log.splitlines()]
    assert [(line["event"], line["leads"]) for line in lines] == [("drained", 3), ("drained", 2)]


class Pickled:
    """Creates the file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_no_job_but_a_drain_is_run_and_no_callback_is_called(
    outbox: Outbox,
    doorbell: RedisDoorbell,
    redis_url: str,
    start_worker: Callable[[], Service],
    tmp_path: Path,
) -> None:
    trace = tmp_path / "trace"
    with Redis.from_url(redis_url) as client, start_worker() as worker:
        assert until(lambda: is_live(doorbell))
        queue = Queue(QUEUE, connection=client, serializer=JSONSerializer)
        pickling = Queue(QUEUE, connection=client)
        queue.enqueue_call("os.mkdir", [str(trace)])
        queue.enqueue_call(DRAIN, [str(trace)])
        queue.enqueue_call(DRAIN, on_success=Callback("os.mkdir"))
        queue.enqueue_call(DRAIN, on_failure=Callback("os.mkdir"))
        pickling.enqueue_call(DRAIN, [Pickled(trace)])
        assert until(lambda: worker.log.count("foreign_job_refused") == 5), worker.log
        # One that seems to have been abandoned: RQ calls its callback when it cleans up.
        abandoned = queue.create_job(DRAIN, on_failure=Callback("os.mkdir"))
        abandoned.save()
        client.zadd(f"rq:wip:{QUEUE}", {f"{abandoned.id}:1": 1})
        accepted = outbox.accept_many(2)
        doorbell.ring()
        assert until(lambda: outbox.leads() == accepted)
        assert "Traceback" not in worker.log
        assert client.llen(queue.key) == 0
    assert not trace.exists()


def test_more_than_one_job_may_take_is_drained_by_the_jobs_that_it_rings_for(
    outbox: Outbox, doorbell: RedisDoorbell, start_worker: Callable[[], Service]
) -> None:
    accepted = [intake_id for _ in range(21) for intake_id in outbox.accept_many(500)]
    with start_worker() as worker:
        doorbell.ring()
        assert until(lambda: outbox.leads() == accepted)
        assert until(lambda: worker.log.count('"drained"') == 21)


def test_killed_in_mid_batch_it_leaves_each_intake_to_become_exactly_one_lead(
    outbox: Outbox, doorbell: RedisDoorbell, start_worker: Callable[[], Service]
) -> None:
    accepted = [intake_id for _ in range(4) for intake_id in outbox.accept_many(500)]
    with start_worker() as worker:
        with outbox.owner.transaction():
            outbox.owner.execute("LOCK TABLE app.leads")
            doorbell.ring()
            assert until(lambda: outbox.waits_for_lock("worker"))
            worker.send(signal.SIGKILL)
            assert worker.exit_code() == -signal.SIGKILL
        # PostgreSQL notices the dead client only when it answers: until then the batch may still commit.
        assert until(lambda: not outbox.sessions("worker"))
    assert len(outbox.queued()) + len(outbox.leads()) == len(accepted)
    assert all(failure == (0, None) for failure in outbox.attempts().values()), (
        "an interruption does not count as an attempt"
    )
    with start_worker():
        doorbell.ring()
        assert until(lambda: outbox.leads() == accepted)
    assert outbox.queued() == []


def test_killed_again_and_again_at_any_moment_it_makes_each_lead_once(
    outbox: Outbox, doorbell: RedisDoorbell, start_worker: Callable[[], Service]
) -> None:
    accepted = [intake_id for _ in range(20) for intake_id in outbox.accept_many(500)]
    for _ in range(2):
        drained = len(outbox.leads())
        with start_worker() as worker:
            doorbell.ring()
            assert until(partial(lambda before: len(outbox.leads()) > before, drained))
            worker.send(signal.SIGKILL)
        assert until(lambda: not outbox.sessions("worker"))
    assert outbox.queued(), "the last kill came too late to interrupt anything"
    with start_worker():
        doorbell.ring()
        assert until(lambda: outbox.leads() == accepted)


def test_a_signal_lets_it_finish_the_job_in_hand_and_exit_0(
    outbox: Outbox, doorbell: RedisDoorbell, start_worker: Callable[[], Service]
) -> None:
    accepted = outbox.accept_many(5)
    with start_worker() as worker:
        with outbox.owner.transaction():
            outbox.owner.execute("LOCK TABLE app.leads")
            doorbell.ring()
            assert until(lambda: outbox.waits_for_lock("worker"))
            worker.send(signal.SIGTERM)
            time.sleep(0.2)
            assert worker.process.poll() is None
        assert worker.exit_code() == 0
    assert outbox.leads() == accepted


def test_a_signal_ends_an_idle_one_soon(doorbell: RedisDoorbell, start_worker: Callable[[], Service]) -> None:
    def end_one() -> float:
        with start_worker() as worker:
            assert until(lambda: is_live(doorbell))
            time.sleep(0.2)
            worker.send(signal.SIGTERM)
            seconds = took(worker.exit_code)
            assert worker.process.returncode == 0
        assert until(lambda: not is_live(doorbell)), "it did not sign off"
        return seconds

    assert quickest(SOON_SECONDS, end_one) < SOON_SECONDS


def test_health_knows_of_it_again_after_redis_was_wiped(
    redis_url: str, doorbell: RedisDoorbell, start_worker: Callable[[], Service]
) -> None:
    with start_worker() as worker, Redis.from_url(redis_url) as client:
        assert until(lambda: is_live(doorbell))
        client.flushall()
        assert until(lambda: not is_live(doorbell)), "it was not forgotten"
        assert until(lambda: is_live(doorbell))
        assert worker.process.poll() is None


def test_a_postgres_that_is_away_fails_no_job_and_leaks_nothing(
    own_postgres: Callable[..., Database], redis_url: str, doorbell: RedisDoorbell, tmp_path: Path
) -> None:
    database = own_postgres()
    with Outbox(database) as outbox:
        accepted = outbox.accept_many(2)
    database.server.stop()
    with Service(tmp_path, "worker", database_url=database.app_url, redis_url=redis_url) as worker:
        doorbell.ring()
        assert until(lambda: "drain_failed" in worker.log)
        database.server.start()
        with Outbox(database) as outbox:
            assert until(lambda: _ring_until_led(doorbell, outbox) == accepted)
        password = database.app_url.split(":")[2].split("@")[0]
        assert password not in worker.log
    queue = Queue(QUEUE, connection=Redis.from_url(redis_url))
    assert FailedJobRegistry(queue=queue).count == 0


def test_a_schema_that_is_not_there_yet_fails_no_job_and_is_drained_once_it_is(
    bare_database: Database, redis_url: str, doorbell: RedisDoorbell, tmp_path: Path
) -> None:
    with Service(tmp_path, "worker", database_url=bare_database.app_url, redis_url=redis_url) as worker:
        doorbell.ring()
        assert until(lambda: "drain_failed" in worker.log)
        assert "SQLSTATE 42P01" in worker.log
        migrate(bare_database.owner_url, report=lambda _: None)
        with Outbox(bare_database) as outbox:
            accepted = outbox.accept_many(2)
            doorbell.ring()
            assert until(lambda: outbox.leads() == accepted)
        assert worker.process.poll() is None
    queue = Queue(QUEUE, connection=Redis.from_url(redis_url))
    assert FailedJobRegistry(queue=queue).count == 0


def test_a_postgres_that_froze_keeps_it_from_neither_its_next_job_nor_its_end(
    own_postgres: Callable[..., Database], redis_url: str, doorbell: RedisDoorbell, tmp_path: Path
) -> None:
    database = own_postgres()
    with (
        Service(tmp_path, "worker", database_url=database.app_url, redis_url=redis_url) as worker,
        Outbox(database) as outbox,
    ):
        first = outbox.accept_many(1)
        assert until(lambda: _ring_until_led(doorbell, outbox) == first)
        accepted = first + outbox.accept_many(2)
        with frozen(database):
            doorbell.ring()
            assert until(lambda: "drain_failed" in worker.log)
        assert until(lambda: _ring_until_led(doorbell, outbox) == accepted)
        with frozen(database):
            doorbell.ring()
            time.sleep(0.2)
            worker.send(signal.SIGTERM)
            assert took(worker.exit_code) < BATCH_SECONDS + BUSY_SECONDS
            assert worker.process.returncode == 0


def test_a_bad_row_is_logged_without_what_the_person_wrote(
    outbox: Outbox, doorbell: RedisDoorbell, start_worker: Callable[[], Service]
) -> None:
    (bad,) = outbox.accept(lead_with(headcount="Ann's secret"))
    with start_worker() as worker:
        doorbell.ring()
        assert until(lambda: "drained" in worker.log)
        assert until(lambda: "intake_failed" in worker.log)
        drained, failed = [json.loads(line) for line in worker.log.splitlines()]
        assert "Ann" not in worker.log
    assert (drained["level"], drained["leads"], drained["put_off"]) == ("warning", 0, 1)
    assert (failed["intake_id"], failed["reason"]) == (str(bad), "22P02 InvalidTextRepresentation")
    assert outbox.attempts()[bad] == (1, "22P02 InvalidTextRepresentation")


def test_a_wiped_redis_takes_no_lead_along(
    outbox: Outbox, own_redis: Callable[[], EmbeddedRedis], tmp_path: Path
) -> None:
    redis = own_redis()
    doorbell = RedisDoorbell(redis.url(BELL), lambda: None, lambda: pytest.fail("Redis was not used"))
    accepted = outbox.accept_many(2)
    doorbell.ring()
    client = Redis.from_url(redis.url(OPERATOR))
    assert until(lambda: Queue(QUEUE, connection=client).count == 1)
    client.flushall()
    with Service(tmp_path, "worker", database_url=outbox.url, redis_url=redis.url(WORKER)):
        accepted += outbox.accept_many(1)
        doorbell.ring()
        assert until(lambda: outbox.leads() == accepted)
    doorbell.close()


def _ring_until_led(doorbell: RedisDoorbell, outbox: Outbox) -> list[object]:
    doorbell.ring()
    time.sleep(0.2)
    return list(outbox.leads())
