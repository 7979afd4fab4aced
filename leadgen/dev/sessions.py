"""The sessions of our children, recorded so that the next run can end processes that outlive this one."""

import signal
from collections.abc import Collection
from pathlib import Path
from typing import Final

from leadgen.dev import processes
from leadgen.dev.processes import boot

END_SECONDS: Final = 5


class Sessions:
    """A file with the id of the boot, then the pid and start time of each child, which is a session leader."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def begin(self) -> None:
        """End processes left by an earlier run, and start an empty record."""
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
    """End these processes and their children, which may have outlived them."""
    members = processes.where(lambda process: process.session in leaders)
    processes.end(members, signal.SIGTERM, END_SECONDS)


def _still_ours(pid: int, started: int) -> bool:
    """Whether the pid still means our session: the kernel does not reuse a leader's pid while it has members."""
    leader = processes.find(pid)
    return leader is None or leader.started == started
