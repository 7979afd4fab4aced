"""Faults of the network between the services and PostgreSQL."""

import time
from collections.abc import Iterator
from typing import Final

from tests.chaos.faults.kind import fault
from tests.chaos.load import Load
from tests.chaos.stack import Stack

CUTS: Final = 8
CUTS_SECONDS: Final = 5.0


@fault("postgres")
def postgres_connections_reset(stack: Stack, _: Load) -> Iterator[None]:
    stack.postgres_proxy.reset()
    yield


@fault("postgres", seconds=3)
def postgres_refused_by_the_network(stack: Stack, _: Load) -> Iterator[None]:
    stack.postgres_proxy.refuse()
    yield
    stack.postgres_proxy.pass_all()


@fault("postgres", seconds=4)
def postgres_swallowed_by_the_network(stack: Stack, _: Load) -> Iterator[None]:
    stack.postgres_proxy.blackhole()
    yield
    stack.postgres_proxy.pass_all()


@fault("postgres", seconds=3)
def postgres_slow(stack: Stack, _: Load) -> Iterator[None]:
    stack.postgres_proxy.delay(0.1)
    yield
    stack.postgres_proxy.pass_all()


@fault("postgres")
def commit_done_and_reply_lost(stack: Stack, _: Load) -> Iterator[None]:
    stack.postgres_proxy.cut_replies(CUTS)
    _wait_for_cuts(stack)
    yield
    stack.postgres_proxy.cut_replies(0)


@fault("postgres")
def request_lost_on_its_way(stack: Stack, _: Load) -> Iterator[None]:
    stack.postgres_proxy.cut_requests(CUTS)
    _wait_for_cuts(stack)
    yield
    stack.postgres_proxy.cut_requests(0)


def _wait_for_cuts(stack: Stack) -> None:
    """Wait until all are made, or until a timeout: during another fault there may be no writes."""
    before, until = stack.postgres_proxy.cuts, time.monotonic() + CUTS_SECONDS
    while stack.postgres_proxy.cuts < before + CUTS and time.monotonic() < until:
        time.sleep(0.01)
