"""Control groups: the kernel itself knows which processes are a host's, also after a crash."""

import os
import shlex
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.command import until
from tests.lab.errors import LabError

KILL_SECONDS = 10


@dataclass(frozen=True)
class Group:
    """Everything that was started in it and what that started, also after its parent is gone.

    Each guest needs a group of its own anyway: two init systems in one would end each other's services.
    """

    name: str

    def words(self, *command: str | Path) -> list[str]:
        """The command that runs in this group."""
        folders = self._folders()
        for folder in folders:
            folder.mkdir(exist_ok=True)
        enter = "".join(f"echo $$ >{shlex.quote(str(folder / 'cgroup.procs'))} && " for folder in folders)
        return ["sh", "-c", f'{enter}exec "$@"', "sh", *map(str, command)]

    def pids(self) -> set[int]:
        return {int(pid) for folder in self._tree() for pid in _read(folder / "cgroup.procs").split()}

    def send(self, pid: int, number: int) -> None:
        """Signal one of the group; nobody when it has ended meanwhile."""
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            # Only now is it certain that the handle is not of a stranger with the same pid.
            if pid in self.pids():
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)

    def remove(self) -> None:
        """End all that is left in it, and the group."""
        if not until(self._killed, KILL_SECONDS):
            raise LabError(self.name, f"processes {self.pids()} survive SIGKILL", "look at them with ps")
        for folder in self._tree():
            folder.rmdir()

    def _killed(self) -> bool:
        for pid in self.pids():
            self.send(pid, signal.SIGKILL)
        return not self.pids()

    def _tree(self) -> Iterator[Path]:
        """All its folders, inner ones first; unlike pathlib, os.walk passes over those that go away meanwhile."""
        for top in self._folders():
            for folder, _, _ in os.walk(top, topdown=False):
                yield Path(folder)

    def _folders(self) -> list[Path]:
        return [mount / self.name for mount in _mounts()]


def _mounts() -> Iterator[Path]:
    """The unified hierarchy, and systemd's own where the machine still has the old ones."""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            yield Path(where)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:  # the group went away between two looks
        return ""
