"""Faults of Redis, which holds no important data: none of them may make a submission fail."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from leadgen.dev.redis import OPERATOR
from tests.chaos.faults.freezing import frozen
from tests.chaos.faults.kind import fault
from tests.chaos.load import Load
from tests.chaos.stack import Stack

PAUSE_MS: Final = 3_000
START_TRIES: Final = 200  # a tenth of a second apart


@fault("redis", isolated=True)
def redis_killed(stack: Stack, _: Load) -> Iterator[None]:
    for process in stack.processes("redis"):
        process.signal(signal.SIGKILL)
    yield


@fault("redis", seconds=4, isolated=True, shows="redis")
def redis_away(stack: Stack, _: Load) -> Iterator[None]:
    with stack.kept["redis"].away():
        yield


@fault("redis", seconds=4, isolated=True, shows="redis")
def redis_frozen(stack: Stack, _: Load) -> Iterator[None]:
    with frozen(stack.processes("redis")):
        yield


@fault("redis", isolated=True)
def redis_wiped(stack: Stack, _: Load) -> Iterator[None]:
    with _client(stack) as client:
        client.flushall()
    yield


@fault("redis", seconds=3, isolated=True)
def redis_full(stack: Stack, _: Load) -> Iterator[None]:
    with _client(stack) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        with _client(stack) as client:
            client.config_set("maxmemory", 0)


@fault("redis", seconds=PAUSE_MS / 1_000, isolated=True)
def redis_paused(stack: Stack, _: Load) -> Iterator[None]:
    with _client(stack) as client:
        client.client_pause(PAUSE_MS)
    yield


@fault("redis", isolated=True)
def redis_drops_its_clients(stack: Stack, _: Load) -> Iterator[None]:
    with _client(stack) as client:
        client.client_kill_filter(_type="normal", skipme=True)
    yield


@fault("redis", seconds=4, isolated=True, shows="redis")
def redis_swallowed_by_the_network(stack: Stack, _: Load) -> Iterator[None]:
    stack.redis_proxy.blackhole()
    yield
    stack.redis_proxy.pass_all()


@fault("redis", seconds=3, isolated=True)
def redis_slow(stack: Stack, _: Load) -> Iterator[None]:
    stack.redis_proxy.delay(0.2)
    yield
    stack.redis_proxy.pass_all()


@contextmanager
def _client(stack: Stack) -> Iterator[Redis]:
    """Connect to Redis directly, not through the proxy; after an earlier fault it may still be starting."""
    patient = Retry(ConstantBackoff(0.1), START_TRIES)
    with Redis.from_url(stack.redis.url(OPERATOR), socket_timeout=10, retry=patient) as client:
        yield client
