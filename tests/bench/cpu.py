"""Processor time of a program: on a machine that others use too, it says more of a change than the clock does."""

import os
from collections.abc import Iterable
from pathlib import Path

from leadgen.dev import processes

_TICKS = os.sysconf("SC_CLK_TCK")


def of_session(leader: int) -> float:
    """Seconds that the processes of a session have had; a program started by Stack leads one."""
    return of(process.pid for process in processes.where(lambda process: process.session == leader))


def of(pids: Iterable[int]) -> float:
    """User and system time together; a process that is gone counts nothing."""
    return sum(map(_ticks, pids)) / _TICKS


def _ticks(pid: int) -> int:
    try:
        numbers = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(numbers[11]) + int(numbers[12])
