"""Each side of Redis may do what it does, and nothing else: both are let do everything that they ever do."""

import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import AuthenticationError, Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from leadgen.dev.redis import BELL, OPERATOR, WORKER, EmbeddedRedis
from leadgen.jobs.doorbell import RedisDoorbell
from leadgen.jobs.rq_bell import DRAIN, QUEUE
from leadgen.store.queue import BATCH
from tests.integration.outbox import Outbox
from tests.integration.service import Service, until

ONE_JOB_TAKES = 20 * BATCH
LONG_AGO = 1
INTERMEDIATE = f"rq:queue:{QUEUE}:intermediate"
# MONITOR leaves out what it takes for administration.
UNSEEN = {"client|list"}


class Watched:
    """A Redis that notes which commands its users send, by MONITOR, and what it refuses, by ACL LOG."""

    def __init__(self, server: EmbeddedRedis) -> None:
        self.server = server
        self.operator = Redis.from_url(server.url(OPERATOR), single_connection_client=True)
        self._sent: dict[str, set[str]] = defaultdict(set)  # address -> commands
        self._users: dict[str, str] = {}

    @contextmanager
    def monitored(self) -> Iterator[None]:
        watching: Any = Redis.from_url(self.server.url(OPERATOR))
        with watching.monitor() as monitor:
            thread = Thread(target=self._listen, args=(monitor,))
            thread.start()
            try:
                yield
            finally:
                self.operator.echo("enough")
                thread.join()

    def look(self) -> None:
        """Note whose the connections are that are open now."""
        self._users |= {client["addr"]: client["user"] for client in self.operator.client_list()}

    def sent(self, user: str) -> set[str]:
        """The worker's connections are all that were not seen to be another's: some of them are short."""
        named = {address for address, name in self._users.items() if name == user}
        rest = self._sent.keys() - self._users.keys() if user == WORKER else set[str]()
        return {command for address in named | rest for command in self._sent.get(address, set())}

    def refused(self) -> list[tuple[str, str, str]]:
        log: Any = self.operator.acl_log(100)
        return [(entry["username"], entry["reason"], entry["object"]) for entry in log]

    def granted(self, user: str) -> set[str]:
        user_of_acl: Any = self.operator.acl_getuser(user)
        return {right[1:] for right in user_of_acl["commands"] if right.startswith("+")}

    def _listen(self, monitor: Any) -> None:  # noqa: ANN401 - redis ships no types for it
        for seen in monitor.listen():
            name, *words = seen["command"].split()
            if (name.lower(), words) == ("echo", ["enough"]):
                return
            command = f"{name}|{words[0]}" if name.lower() == "client" else name
            self._sent[f"{seen['client_address']}:{seen['client_port']}"].add(command.lower())


@pytest.fixture
def watched(own_redis: Callable[[], EmbeddedRedis]) -> Watched:
    return Watched(own_redis())


class Life:
    """A bell, workers one after the other, and the leads that they make."""

    def __init__(self, outbox: Outbox, watched: Watched, folder: Path) -> None:
        self.outbox = outbox
        self.watched = watched
        self.folder = folder
        self.bell = RedisDoorbell(
            watched.server.url(BELL), lambda: None, lambda: pytest.fail("Redis was not used")
        )
        self.queue = Queue(QUEUE, connection=watched.operator, serializer=JSONSerializer)
        self.accepted: list[object] = []

    def worker(self) -> Service:
        url = self.watched.server.url(WORKER)
        return Service(self.folder, "worker", database_url=self.outbox.url, redis_url=url)

    def drains(self, service: Service, intakes: int) -> None:
        self.accepted += self.outbox.accept_many(intakes)
        self.bell.ring()
        assert until(lambda: self.outbox.leads() == self.accepted), service.log

    @contextmanager
    def in_hand(self, service: Service) -> Iterator[None]:
        """A job is being done, and waits for the end of the block."""
        self.accepted += self.outbox.accept_many(1)
        with self.outbox.owner.transaction():
            self.outbox.owner.execute("LOCK TABLE app.leads")
            self.bell.ring()
            assert until(lambda: self.outbox.waits_for_lock("worker")), service.log
            self.watched.look()
            yield


def test_a_whole_life_needs_each_right_and_no_other(outbox: Outbox, watched: Watched, tmp_path: Path) -> None:
    life = Life(outbox, watched, tmp_path)
    with watched.monitored():
        with life.worker() as worker:
            assert until(lambda: life.bell.status()["worker"] == "ok"), worker.log
            life.drains(worker, 3)
            fails_a_job(life, worker)
            life.queue.enqueue_call("os.mkdir", ["anywhere"])
            assert until(lambda: "foreign_job_refused" in worker.log), worker.log
            dies(life, worker)
        taken = leave_traces_of_dead_workers(watched.operator, life.queue)
        with life.worker() as worker:
            life.drains(worker, ONE_JOB_TAKES + 1)
            assert "AbandonedJobError" in worker.log
            assert watched.operator.lrange(INTERMEDIATE, 0, -1) == [taken.encode()], "it is left for a minute"
            with life.in_hand(worker):
                worker.send(signal.SIGTERM)
                time.sleep(0.2)
            assert worker.exit_code() == 0
        with life.worker() as worker:
            life.drains(worker, 1)
            worker.send(signal.SIGTERM)
            assert worker.exit_code() == 0
        assert until(lambda: life.bell.status()["worker"] == "down")
        life.bell.close()
    assert watched.refused() == []
    assert "cmdstat_client|list" in watched.operator.info("commandstats")
    handshake = {"auth", "hello"}  # which every user may
    assert watched.sent(BELL) - handshake == watched.granted(BELL)
    assert watched.sent(WORKER) - handshake == watched.granted(WORKER) - UNSEEN


def fails_a_job(life: Life, worker: Service) -> None:
    with life.in_hand(worker):
        worker.send(signal.SIGALRM)  # by which RQ ends a job that takes too long
        assert until(lambda: "JobTimeoutException" in worker.log), worker.log
    assert until(lambda: life.watched.operator.zcard(f"rq:failed:{QUEUE}") == 1)


def dies(life: Life, worker: Service) -> None:
    with life.in_hand(worker):
        worker.send(signal.SIGKILL)
        worker.exit_code()
    # The batch may still be committed.
    assert until(lambda: not life.outbox.sessions("worker"))


def leave_traces_of_dead_workers(operator: Redis, queue: Queue) -> str:
    """As if a killed one's time were over, and others had died between two of their commands.

    Returns the id of a job that was taken just now, by a worker that may still be alive.
    """
    started: Any = operator.zrange(f"rq:wip:{QUEUE}", 0, -1)
    operator.zadd(f"rq:wip:{QUEUE}", dict.fromkeys(started, LONG_AGO))
    operator.delete(f"rq:clean_registries:{QUEUE}")
    taken, seen = (queue.create_job(DRAIN) for _ in range(2))
    for job in (taken, seen):
        job.save()
    operator.lpush(INTERMEDIATE, taken.id, seen.id, "gone")
    operator.set(f"{INTERMEDIATE}:first_seen:{seen.id}", LONG_AGO)
    for registry in ("failed", "finished"):
        operator.zadd(f"rq:{registry}:{QUEUE}", {"gone": LONG_AGO})
    for workers in ("rq:workers", f"rq:workers:{QUEUE}"):
        operator.sadd(workers, "rq:worker:gone")
    return str(taken.id)


# What neither side needs.
FOREIGN = (
    *("FLUSHALL", "FLUSHDB", "KEYS *", "SCAN 0", "SHUTDOWN NOSAVE", "MONITOR", "SAVE", "REPLICAOF NO ONE"),
    *("CONFIG GET *", "CONFIG SET dir /", "ACL LIST", "ACL WHOAMI", "CLIENT KILL TYPE normal", "SELECT 1"),
    *(
        "EVAL return 0",
        "SCRIPT FLUSH",
        "FUNCTION LIST",
        "MODULE LIST",
        "RESTORE a 0 b",
        "GET other",
        "SET other 1",
    ),
    *("PUBLISH rq:pubsub:worker {}", "SUBSCRIBE other", "SET rq:suspended 1", "DEL rq:suspended"),
    *("RPUSH rq:queue:other job", "LRANGE rq:queue:other 0 0", "SADD rq:queues:other a", "SADD rq:groups a"),
    *("SMEMBERS rq:workers", "LRANGE rq:results:job 0 0", "RENAME rq:queue:intake a", "SMEMBERS rq:queues"),
)
# What only the other side needs.
OTHERS = {
    BELL: (
        *("LPOP rq:queue:intake", "DEL rq:queue:intake", "LREM rq:queue:intake 1 a"),
        *("HGETALL rq:job:job", "HGET rq:job:job status", "DEL rq:job:job", "EXPIRE rq:job:job 1"),
        *("HSET rq:worker:w last_heartbeat now", "SADD rq:workers:intake w", "SADD rq:workers w"),
        *("ZADD rq:wip:intake 1 a", "SUBSCRIBE rq:pubsub:w", "CLIENT LIST"),
        "BLMOVE rq:queue:intake rq:queue:intake:intermediate LEFT RIGHT 1",
    ),
    WORKER: ("LPUSH rq:queue:intake job", "ZRANGE rq:failed:intake 0 -1"),
}


@pytest.mark.parametrize("user", [BELL, WORKER])
def test_a_side_is_refused_what_it_does_not_need(redis_server: EmbeddedRedis, user: str) -> None:
    with Redis.from_url(redis_server.url(user)) as client:
        assert client.info("server")
        allowed = [command for command in (*FOREIGN, *OTHERS[user]) if not is_refused(client, command)]
    assert allowed == []


def is_refused(client: Redis, command: str) -> bool:
    try:
        client.execute_command(*command.split())  # type: ignore[no-untyped-call]  # redis ships no types for it
    except NoPermissionError:
        return True
    return False


def test_a_password_opens_its_own_user_only(redis_server: EmbeddedRedis) -> None:
    passwords = {user: urlsplit(redis_server.url(user)).password for user in (BELL, WORKER, OPERATOR)}
    opened = {
        (user, owner)
        for user in (*passwords, "default")
        for owner, password in passwords.items()
        if opens(redis_server.port, user, password)
    }
    assert opened == {(user, user) for user in passwords}


def opens(port: int, user: str, password: str | None) -> bool:
    once = Retry(NoBackoff(), 0)
    with Redis(port=port, username=user, password=password, retry=once) as client:
        try:
            return bool(client.info("server"))
        except AuthenticationError:
            return False
