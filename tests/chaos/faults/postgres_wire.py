"""Faults of the way between the services and PostgreSQL."""

from collections.abc import Iterator

from tests.chaos.faults.kind import fault
from tests.chaos.load import Load
from tests.chaos.stack import Stack


@fault("postgres")
def postgres_connections_reset(stack: Stack, _: Load) -> Iterator[None]:
    stack.proxies["postgres"].reset()
    yield


@fault("postgres", seconds=3)
def postgres_refused_by_the_network(stack: Stack, _: Load) -> Iterator[None]:
    stack.proxies["postgres"].refuse()
    yield
    stack.proxies["postgres"].pass_all()


@fault("postgres", seconds=4)
def postgres_swallowed_by_the_network(stack: Stack, _: Load) -> Iterator[None]:
    stack.proxies["postgres"].blackhole()
    yield
    stack.proxies["postgres"].pass_all()


@fault("postgres", seconds=3)
def postgres_slow(stack: Stack, _: Load) -> Iterator[None]:
    stack.proxies["postgres"].delay(0.1)
    yield
    stack.proxies["postgres"].pass_all()
