"""The fault that hits everything at the same moment."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from uuid import uuid4

from leadgen.dev import processes
from leadgen.dev.processes import Process
from tests.chaos.faults.kind import fault
from tests.chaos.leads import dice
from tests.chaos.load import Load
from tests.chaos.stack import Stack

KILL_SECONDS: Final = 5
FLICKER_SECONDS: Final = (0.5, 1.3)  # from before PostgreSQL's start to after its recovery


@fault("host", breaks=True, needs_disk=True)
def power_cut(stack: Stack, _: Load) -> Iterator[None]:
    with _dark(stack):
        yield


@fault("host", breaks=True, needs_disk=True)
def power_cut_twice(stack: Stack, _: Load) -> Iterator[None]:
    """The second cut comes while everything is starting again."""
    with _dark(stack):
        pass
    time.sleep(dice(uuid4()).uniform(*FLICKER_SECONDS))
    with _dark(stack):
        yield


@contextmanager
def _dark(stack: Stack) -> Iterator[None]:
    """The API stops before PostgreSQL does, so that nothing is acknowledged after the cut."""
    assert stack.disk
    for process in _all(stack):
        process.signal(signal.SIGSTOP)
    stack.disk.cut()
    processes.end(_all(stack), signal.SIGKILL, KILL_SECONDS)
    with ExitStack() as unattended:
        for kept in stack.kept.values():
            unattended.enter_context(kept.unattended())
        processes.end(_all(stack), signal.SIGKILL, KILL_SECONDS)  # processes started on the dead disk meanwhile
        stack.disk.power_up()
        yield


def _all(stack: Stack) -> list[Process]:
    return [process for name in reversed(stack.kept) for process in stack.processes(name)]
