"""The API and its neighbours dying: no acknowledged lead is lost."""

import http.client
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from leadgen.dev.redis import OPERATOR, EmbeddedRedis
from tests.conftest import Database
from tests.integration.service import until
from tests.integration.stack import Stack, make_stack

pytestmark = pytest.mark.alone("its clients take both cores, and the sweeper has five seconds")

POSTS = 2_000


def disturb_stop(server: EmbeddedRedis) -> None:
    server.stop()


def disturb_freeze(server: EmbeddedRedis) -> None:
    assert server.pid
    os.kill(server.pid, signal.SIGSTOP)


@pytest.mark.parametrize("disturb", [disturb_stop, disturb_freeze])
def test_without_redis_every_post_is_accepted_and_the_sweeper_alone_makes_them_leads(
    tmp_path: Path,
    database: Database,
    own_redis: Callable[[], EmbeddedRedis],
    disturb: Callable[[EmbeddedRedis], None],
) -> None:
    redis_server = own_redis()
    stack = make_stack(tmp_path, database, redis_server.url(OPERATOR))
    with stack.serve(), stack.run("sweep"):
        disturb(redis_server)
        try:
            assert stack.post_many(POSTS) == [202] * POSTS
            assert until(lambda: stack.count("leads") == POSTS, 5)
        finally:
            if redis_server.pid:
                os.kill(redis_server.pid, signal.SIGCONT)
    assert stack.count("intake_queue") == 0


def test_without_a_worker_every_post_is_accepted_and_the_worker_catches_up(stack: Stack) -> None:
    with stack.serve():
        assert stack.post_many(POSTS) == [202] * POSTS
        assert stack.count("leads") == 0
        with stack.run("worker"):
            assert until(lambda: stack.count("leads") == POSTS, 15)


def test_everything_killed_under_load_loses_no_acknowledged_lead(
    stack: Stack, own_redis: Callable[[], EmbeddedRedis]
) -> None:
    """The client keeps its own ledger; every submission answered 202 is one lead when everything is up again."""
    acknowledged: list[str] = []
    stopping = threading.Event()
    redis_server = own_redis()
    stack.settings["redis_url"] = redis_server.url(OPERATOR)

    def keep_posting() -> None:
        while not stopping.is_set():
            key = str(uuid4())
            try:
                if stack.post(key)[0] == 202:
                    acknowledged.append(key)
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)

    clients = [threading.Thread(target=keep_posting) for _ in range(8)]
    with stack.serve() as serve, stack.run("worker") as worker, stack.run("sweep") as sweep:
        for client in clients:
            client.start()
        assert until(lambda: len(acknowledged) > 300, 20)
        assert redis_server.pid
        os.kill(redis_server.pid, signal.SIGKILL)
        for service in (worker, sweep):
            service.send(signal.SIGKILL)
        serve.kill_children()
        serve.send(signal.SIGKILL)
        stopping.set()
        for client in clients:
            client.join()
    with ExitStack() as running:
        running.enter_context(stack.serve())
        running.enter_context(stack.run("sweep"))
        assert until(lambda: stack.count("intake_queue") == 0, 15)
    with psycopg.connect(stack.database.superuser_url) as connection:
        leads = [key for (key,) in connection.execute("SELECT idempotency_key FROM app.leads")]
    assert len(leads) == len(set(leads)) == stack.count("intake_jobs")
    assert set(acknowledged) <= set(leads)
