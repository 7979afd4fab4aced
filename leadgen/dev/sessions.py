"""The sessions of our children, written down so that the next run can end what outlives this one."""

import signal
from collections.abc import Collection
from pathlib import Path
from typing import Final

from leadgen.dev import processes
from leadgen.dev.processes import boot

END_SECONDS: Final = 5


class Sessions:
    """A file: the boot of the machine, then the pid and the start time of each child, which leads a session."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def begin(self) -> None:
        """End what an earlier run left, and start an empty record."""
        end_sessions({pid for pid, started in self._recorded() if _still_ours(pid, started)})
        self._file.write_text(boot() + "\n", encoding="ascii")

    def add(self, pid: int) -> None:
        if leader := processes.find(pid):
            with self._file.open("a", encoding="ascii") as record:
                record.write(f"{leader.pid} {leader.started}\n")

    def _recorded(self) -> list[tuple[int, int]]:
        lines = self._file.read_text(encoding="ascii").splitlines() if self._file.exists() else []
        if lines[:1] != [boot()]:
            return []
        return [(int(pid), int(started)) for pid, started in (line.split() for line in lines[1:])]


def end_sessions(leaders: Collection[int]) -> None:
    """End the children of these processes too, which may have outlived them."""
    members = processes.where(lambda process: process.session in leaders)
    processes.end(members, signal.SIGTERM, END_SECONDS)


def _still_ours(pid: int, started: int) -> bool:
    """While a session has members, the kernel gives its leader's pid to no other process; afterwards it may."""
    leader = processes.find(pid)
    return leader is None or leader.started == started
