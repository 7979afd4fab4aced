"""Processes frozen by SIGSTOP, with their sockets open."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from leadgen.dev.processes import Process


@contextmanager
def frozen(processes: Iterable[Process]) -> Iterator[None]:
    stopped = list(processes)
    try:
        for process in stopped:
            process.signal(signal.SIGSTOP)
        yield
    finally:
        for process in stopped:
            process.signal(signal.SIGCONT)
