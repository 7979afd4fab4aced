"""Faults of those who make leads of intakes: RQ's worker and the sweeper."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack

from tests.chaos.faults.freezing import frozen
from tests.chaos.faults.kind import fault
from tests.chaos.load import Load
from tests.chaos.stack import Stack

DRAINERS = ("worker", "sweeper")


@fault("drain", isolated=True)
def worker_killed(stack: Stack, _: Load) -> Iterator[None]:
    _kill(stack, "worker")
    yield


@fault("drain", isolated=True)
def sweeper_killed(stack: Stack, _: Load) -> Iterator[None]:
    _kill(stack, "sweeper")
    yield


@fault("drain", isolated=True)
def worker_and_sweeper_killed(stack: Stack, _: Load) -> Iterator[None]:
    for name in DRAINERS:
        _kill(stack, name)
    yield


@fault("drain", seconds=3, isolated=True)
def worker_frozen(stack: Stack, _: Load) -> Iterator[None]:
    with frozen(stack.processes("worker")):
        yield


@fault("drain", seconds=3, isolated=True)
def sweeper_frozen(stack: Stack, _: Load) -> Iterator[None]:
    with frozen(stack.processes("sweeper")):
        yield


@fault("drain", seconds=5, isolated=True)
def nobody_drains(stack: Stack, _: Load) -> Iterator[None]:
    with ExitStack() as held:
        for name in DRAINERS:
            held.enter_context(stack.kept[name].away())
        yield


@fault("drain", seconds=18, isolated=True, shows="worker")
def worker_away_for_long(stack: Stack, _: Load) -> Iterator[None]:
    with stack.kept["worker"].away():
        yield


@fault("drain", seconds=33, isolated=True, shows="sweeper")
def sweeper_away_for_long(stack: Stack, _: Load) -> Iterator[None]:
    with stack.kept["sweeper"].away():
        yield


def _kill(stack: Stack, name: str) -> None:
    for process in stack.processes(name):
        process.signal(signal.SIGKILL)
