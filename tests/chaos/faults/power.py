"""The fault that hits everything at one moment."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack

from leadgen.dev import processes
from tests.chaos.faults.kind import fault
from tests.chaos.load import Load
from tests.chaos.stack import Stack

KILL_SECONDS = 5


@fault("host", breaks=True, needs_disk=True)
def power_cut(stack: Stack, _: Load) -> Iterator[None]:
    """The API stops before PostgreSQL does: nothing is acknowledged that would come after the cut."""
    assert stack.disk
    with ExitStack() as unattended:
        for kept in stack.kept.values():
            unattended.enter_context(kept.unattended())
        running = [process for name in reversed(stack.kept) for process in stack.processes(name)]
        for process in running:
            process.signal(signal.SIGSTOP)
        stack.disk.cut()
        processes.end([*running, *stack.processes("postgres")], signal.SIGKILL, KILL_SECONDS)
        stack.disk.power_up()
        yield
