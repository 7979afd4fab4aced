"""Faults of the processes that turn intakes into leads: RQ's worker and the sweeper."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from typing import Final

import psycopg

from tests.chaos.faults.freezing import frozen
from tests.chaos.faults.kind import fault
from tests.chaos.load import Load
from tests.chaos.stack import Stack

DRAINERS: Final = ("worker", "sweeper")
AT_WORK_SECONDS: Final = 15.0  # a busy machine needs some of them to start a worker
POLL_SECONDS: Final = 0.05

# Read the sequence, because another fault may lock the table.
_AT_WORK: Final = """
SELECT (SELECT last_value FROM app.leads_lead_id_seq),
       (SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE application_name = ANY (%s))
"""


@fault("drain", isolated=True)
def worker_killed(stack: Stack, _: Load) -> Iterator[None]:
    _kill_at_work(stack, "worker")
    yield


@fault("drain", isolated=True)
def sweeper_killed(stack: Stack, _: Load) -> Iterator[None]:
    _kill_at_work(stack, "sweeper")
    yield


@fault("drain", isolated=True)
def worker_and_sweeper_killed(stack: Stack, _: Load) -> Iterator[None]:
    _kill_at_work(stack, *DRAINERS)
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


def _kill_at_work(stack: Stack, *names: str) -> None:
    """As soon as they run and leads are being made: killing a process that is still starting proves nothing.

    Another fault may keep them from that, so the wait has an end.
    """
    until = time.monotonic() + AT_WORK_SECONDS
    before = None
    while time.monotonic() < until:
        with suppress(psycopg.OperationalError), closing(stack.superuser()) as connection:
            made, present = connection.execute(_AT_WORK, [[f"leadgen-{name}" for name in names]]).fetchone() or (
                0,
                0,
            )
            if present == len(names) and before not in {None, made}:
                break
            before = made
        time.sleep(POLL_SECONDS)
    for name in names:
        for process in stack.processes(name):
            process.signal(signal.SIGKILL)
