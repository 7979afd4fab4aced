"""Processes from /proc: enough to find those left by an earlier run without ever hitting an unrelated one."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KILL_SECONDS: Final = 5
POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Process:
    """A pid can be reused; a pid with its start time is unique until the next boot."""

    pid: int
    started: int
    """In clock ticks since boot."""
    session: int
    user: int
    command: tuple[str, ...]

    @property
    def alive(self) -> bool:
        now = find(self.pid)
        return now is not None and now.started == self.started

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)


def find(pid: int) -> Process | None:
    """The live process with this pid; None for a zombie, too, which only waits to be reaped."""
    folder = Path("/proc", str(pid))
    try:
        # The name, in parentheses, may itself contain spaces and parentheses.
        state, *numbers = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        command = os.fsdecode((folder / "cmdline").read_bytes())
        user = folder.stat().st_uid
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    if state in "ZX":
        return None
    return Process(
        pid=pid,
        started=int(numbers[18]),
        session=int(numbers[2]),
        user=user,
        command=tuple(command.rstrip("\0").split("\0")),
    )


def where(wanted: Callable[[Process], bool]) -> list[Process]:
    return [process for process in _all() if wanted(process)]


def end(processes: Iterable[Process], gently: signal.Signals, seconds: float) -> None:
    """Ask the processes to end, and kill those that do not end in time."""
    left = list(processes)
    for number, patience in ((gently, seconds), (signal.SIGKILL, KILL_SECONDS)):
        for process in left:
            process.signal(number)
            process.signal(signal.SIGCONT)  # a frozen process handles no signal before it continues
        left = _outliving(left, patience)


def boot() -> str:
    """An id that differs for every boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _all() -> Iterator[Process]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (process := find(int(entry.name))):
            yield process


def _outliving(processes: list[Process], seconds: float) -> list[Process]:
    until = time.monotonic() + seconds
    while (left := [process for process in processes if process.alive]) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    return left
