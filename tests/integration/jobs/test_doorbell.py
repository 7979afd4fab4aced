"""The doorbell: costs a request nothing whatever Redis does, and loses no ring."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from rq.utils import utcformat

from leadgen.dev.redis import BELL, OPERATOR, EmbeddedRedis
from leadgen.errors import DatabaseUnavailable
from leadgen.jobs.doorbell import LONGEST_GAP_SECONDS, RedisDoorbell
from leadgen.jobs.protocol import Doorbell
from leadgen.jobs.rq_bell import DRAIN, QUEUE, UNHEARD_SECONDS
from tests.integration.service import until
from tests.integration.stopwatch import TRIES, quickest, took

pytestmark = pytest.mark.alone("rings are judged by milliseconds")

RINGS = 2_000


class Listener:
    """Counts what the doorbell reports and rings through PostgreSQL."""

    def __init__(self) -> None:
        self.notified = 0
        self.failures = 0

    def notify(self) -> None:
        self.notified += 1

    def on_failure(self) -> None:
        self.failures += 1


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def make_doorbell(listener: Listener) -> Iterator[Callable[[str], RedisDoorbell]]:
    made: list[RedisDoorbell] = []

    def make(url: str) -> RedisDoorbell:
        made.append(RedisDoorbell(url, listener.notify, listener.on_failure))
        return made[-1]

    yield make
    for doorbell in made:
        doorbell.close()


def queue_at(url: str) -> Queue:
    return Queue(QUEUE, connection=Redis.from_url(url), serializer=JSONSerializer)


def take_job(url: str) -> bool:
    """Begin the oldest job, as a worker does; False when none waits."""
    queue = queue_at(url)
    return queue.connection.lpop(queue.key) is not None


def ring_and_wait(doorbell: Doorbell, listener: Listener) -> None:
    """Ring once, and wait until the sweeper was woken for it."""
    before = listener.notified
    doorbell.ring()
    assert until(lambda: listener.notified > before)


def slowest_percent_of_rings(doorbell: Doorbell) -> float:
    """The 99th percentile of many rings, in seconds."""
    seconds = []
    for _ in range(RINGS):
        start = time.perf_counter()
        doorbell.ring()
        seconds.append(time.perf_counter() - start)
        time.sleep(0.0002)
    return sorted(seconds)[RINGS * 99 // 100]


def test_a_ring_enqueues_one_job_without_data(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell], listener: Listener
) -> None:
    queue = queue_at(redis_url)
    make_doorbell(redis_url).ring()
    assert until(lambda: queue.count == 1)
    (job,) = queue.jobs
    assert (job.func_name, job.args, job.kwargs) == (DRAIN, [], {})
    assert (job.result_ttl, job.failure_ttl, job.timeout) == (0, 60, 30)
    assert json.loads(job.data) == [DRAIN, None, [], {}]
    assert listener.failures == 0


def test_rings_while_a_job_waits_add_no_other(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell]
) -> None:
    queue = queue_at(redis_url)
    doorbells = [make_doorbell(redis_url) for _ in range(2)]
    doorbells[0].ring()
    assert until(lambda: queue.count == 1)
    for _ in range(50):
        for doorbell in doorbells:
            doorbell.ring()
        time.sleep(0.002)
    assert queue.count == 1


def test_a_ring_that_a_worker_hears_does_not_wake_the_sweeper(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell], listener: Listener
) -> None:
    doorbell = make_doorbell(redis_url)
    for _ in range(3):
        doorbell.ring()
        assert until(lambda: take_job(redis_url))
        time.sleep(2 * UNHEARD_SECONDS)
    assert listener.notified == 0


def test_a_ring_that_no_worker_hears_wakes_the_sweeper_once(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell], listener: Listener
) -> None:
    start = time.monotonic()
    make_doorbell(redis_url).ring()
    assert until(lambda: listener.notified == 1)
    assert time.monotonic() - start > UNHEARD_SECONDS
    time.sleep(3 * UNHEARD_SECONDS)
    assert (listener.notified, listener.failures) == (1, 0)


def test_while_no_worker_comes_every_ring_wakes_the_sweeper_at_once(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell], listener: Listener
) -> None:
    doorbell = make_doorbell(redis_url)
    ring_and_wait(doorbell, listener)

    def ring_after_a_pause() -> float:
        time.sleep(2 * LONGEST_GAP_SECONDS)  # rings that never pause become rare
        return took(partial(ring_and_wait, doorbell, listener))

    for _ in range(3):
        assert quickest(UNHEARD_SECONDS, ring_after_a_pause) < UNHEARD_SECONDS
    assert queue_at(redis_url).count == 1


def test_rings_that_never_pause_wake_the_sweeper_too(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell], listener: Listener
) -> None:
    doorbell = make_doorbell(redis_url)

    def ring_and_look() -> bool:
        doorbell.ring()
        return listener.notified > 0

    assert until(ring_and_look, seconds=2)


def test_rings_that_never_pause_become_rare_and_the_first_after_a_pause_is_passed_on_at_once(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell]
) -> None:
    doorbell, queue = make_doorbell(redis_url), queue_at(redis_url)
    end = time.monotonic() + 1
    taken = 0
    while time.monotonic() < end:
        doorbell.ring()
        taken += take_job(redis_url)
        time.sleep(0.002)
    # The gaps are 20, 40, 80 and then 160 ms: that makes 9, where 20 ms each would make 50.
    assert 2 <= taken <= 14

    def ring() -> None:
        doorbell.ring()
        assert until(lambda: len(queue) == 1)

    def ring_after_a_pause() -> float:
        time.sleep(2 * LONGEST_GAP_SECONDS)
        while take_job(redis_url):
            pass
        return took(ring)

    assert quickest(LONGEST_GAP_SECONDS / 2, ring_after_a_pause) < LONGEST_GAP_SECONDS / 2


def test_a_ring_after_a_worker_took_the_job_enqueues_another(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell]
) -> None:
    queue = queue_at(redis_url)
    doorbell = make_doorbell(redis_url)
    for _ in range(3):
        doorbell.ring()
        assert until(lambda: queue.count == 1)
        assert queue.pop_job_id() is not None


def test_whatever_came_before_a_ring_is_seen_by_a_drain_after_it(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell]
) -> None:
    """The race that coalescing must not lose: four processes' doorbells against a worker that is always busy."""
    doorbells = [make_doorbell(redis_url) for _ in range(4)]
    committed = 0
    drained = 0
    counting = threading.Lock()
    done = threading.Event()

    def work() -> None:
        nonlocal drained
        queue = queue_at(redis_url)
        while not (done.is_set() and queue.count == 0):
            if queue.connection.lpop(queue.key) is None:
                time.sleep(0.0005)
                continue
            seen = committed
            time.sleep(0.001)
            drained = max(drained, seen)

    def accept(doorbell: Doorbell) -> None:
        nonlocal committed
        for _ in range(400):
            with counting:
                committed += 1
            doorbell.ring()
            time.sleep(0.0005)

    worker = threading.Thread(target=work)
    worker.start()
    clients = [threading.Thread(target=accept, args=[doorbell]) for doorbell in doorbells]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert until(lambda: drained == 1_600), f"{1_600 - drained} were rung for and never drained"
    done.set()
    worker.join()


def test_ringing_a_redis_that_is_gone_takes_no_time_and_rings_through_postgres(
    own_redis: Callable[[], EmbeddedRedis], make_doorbell: Callable[[str], RedisDoorbell], listener: Listener
) -> None:
    redis = own_redis()
    redis.stop()
    doorbell = make_doorbell(redis.url(BELL))
    assert quickest(0.001, lambda: slowest_percent_of_rings(doorbell)) < 0.001
    assert until(lambda: listener.notified > 0)
    assert listener.failures >= listener.notified

    redis.start()
    before = listener.notified
    assert until(lambda: _ring_and_count(doorbell, redis) == 1, seconds=8), "it never tried Redis again"
    doorbell.ring()
    time.sleep(0.1)
    assert listener.notified < before + 80, "it went on to ring through PostgreSQL"


def test_ringing_a_redis_that_hangs_takes_no_time_and_rings_through_postgres(
    own_redis: Callable[[], EmbeddedRedis], make_doorbell: Callable[[str], RedisDoorbell], listener: Listener
) -> None:
    redis = own_redis()
    doorbell, *others = [make_doorbell(redis.url(BELL)) for _ in range(TRIES)]
    for each in (doorbell, *others):
        each.ring()
        assert until(lambda: take_job(redis.url(OPERATOR)))
    time.sleep(3 * UNHEARD_SECONDS)  # until each has seen that its job was begun
    assert redis.pid is not None
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        hung = iter([doorbell, *others])
        assert quickest(0.5, lambda: took(partial(ring_and_wait, next(hung), listener))) < 0.5
        assert quickest(0.001, lambda: slowest_percent_of_rings(doorbell)) < 0.001
    finally:
        os.kill(redis.pid, signal.SIGCONT)
    queue_at(redis.url(OPERATOR)).empty()
    assert until(lambda: _ring_and_count(doorbell, redis) == 1, seconds=8), "it never tried Redis again"


def test_while_redis_is_left_alone_it_is_not_even_asked(
    own_redis: Callable[[], EmbeddedRedis], make_doorbell: Callable[[str], RedisDoorbell], listener: Listener
) -> None:
    redis = own_redis()
    doorbell = make_doorbell(redis.url(BELL))
    assert redis.pid is not None
    os.kill(redis.pid, signal.SIGSTOP)
    doorbell.ring()
    assert until(lambda: listener.notified == 1)
    os.kill(redis.pid, signal.SIGCONT)  # which takes no time: to start one may take longer than it is left alone
    for rings in range(2, 5):
        doorbell.ring()
        assert until(partial(lambda wanted: listener.notified == wanted, rings))
    assert queue_at(redis.url(OPERATOR)).count == 0


def test_a_ring_that_no_worker_takes_is_logged_without_raising_and_the_next_one_works(
    own_redis: Callable[[], EmbeddedRedis], caplog: pytest.LogCaptureFixture
) -> None:
    redis = own_redis()
    redis.stop()

    def notify() -> None:
        raise DatabaseUnavailable("it is away")

    doorbell = RedisDoorbell(redis.url(BELL), notify)
    doorbell.ring()
    assert until(lambda: caplog.messages == ["redis_down", "ring_lost"]), caplog.messages
    redis.start()
    assert until(lambda: _ring_and_count(doorbell, redis) == 1, seconds=8)
    doorbell.close()
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    assert redis.url(BELL).split("@")[0] not in caplog.text


def test_closing_passes_the_last_ring_on(redis_url: str, make_doorbell: Callable[[str], RedisDoorbell]) -> None:
    doorbell = make_doorbell(redis_url)
    doorbell.ring()
    doorbell.close()
    assert queue_at(redis_url).count == 1


def test_nothing_is_started_before_the_first_ring(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell]
) -> None:
    before = threading.active_count()
    make_doorbell(redis_url)
    assert threading.active_count() == before


def test_the_status_names_redis_and_the_worker(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell]
) -> None:
    assert make_doorbell(redis_url).status() == {"redis": "ok", "worker": "down"}
    worker = SimpleWorker([queue_at(redis_url)], connection=Redis.from_url(redis_url))
    worker.register_birth()
    assert make_doorbell(redis_url).status() == {"redis": "ok", "worker": "ok"}
    worker.register_death()
    assert make_doorbell(redis_url).status() == {"redis": "ok", "worker": "down"}


def test_a_worker_whose_heart_stopped_is_down_though_redis_still_knows_it(
    redis_url: str, make_doorbell: Callable[[str], RedisDoorbell]
) -> None:
    worker = SimpleWorker([queue_at(redis_url)], connection=Redis.from_url(redis_url))
    worker.register_birth()
    last = datetime.now(UTC) - timedelta(seconds=20)
    worker.connection.hset(worker.key, "last_heartbeat", utcformat(last))
    assert make_doorbell(redis_url).status() == {"redis": "ok", "worker": "down"}


def test_the_status_is_asked_once_a_second(
    own_redis: Callable[[], EmbeddedRedis], make_doorbell: Callable[[str], RedisDoorbell]
) -> None:
    redis = own_redis()
    doorbell = make_doorbell(redis.url(BELL))
    assert redis.pid is not None
    assert doorbell.status()["redis"] == "ok"
    os.kill(redis.pid, signal.SIGKILL)
    assert doorbell.status()["redis"] == "ok"
    assert until(lambda: doorbell.status() == {"redis": "down", "worker": "down"}, seconds=2)


def test_the_status_of_a_redis_that_hangs_is_known_within_half_a_second(
    own_redis: Callable[[], EmbeddedRedis], make_doorbell: Callable[[str], RedisDoorbell]
) -> None:
    redis = own_redis()

    def ask() -> None:
        assert make_doorbell(redis.url(BELL)).status() == {"redis": "down", "worker": "down"}

    assert redis.pid is not None
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        assert quickest(0.5, partial(took, ask)) < 0.5
    finally:
        os.kill(redis.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "first_lines", ["", "from gevent import monkey; monkey.patch_all()"], ids=["threads", "greenlets"]
)
def test_it_rings_on_both_sides_of_a_fork(redis_url: str, first_lines: str) -> None:
    script = f"""{first_lines}
import os, sys, time
from leadgen.jobs.doorbell import LONGEST_GAP_SECONDS, RedisDoorbell
from rq import Queue
from redis import Redis

url = sys.argv[1]
queue = Queue({QUEUE!r}, connection=Redis.from_url(url))

def ring_and_wait():
    queue.empty()
    doorbell.ring()
    for _ in range(300):
        if queue.count:
            return
        time.sleep(0.01)
    sys.exit("no ring was heard")

doorbell = RedisDoorbell(url, lambda: None, lambda: os._exit(3))
ring_and_wait()
time.sleep(0.1)
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
ring_and_wait()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, redis_url],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")


def _ring_and_count(doorbell: Doorbell, redis: EmbeddedRedis) -> int:
    doorbell.ring()
    time.sleep(0.1)
    return queue_at(redis.url(OPERATOR)).count
