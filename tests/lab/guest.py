"""The host's life as a machine: started, stopped in order, cut off from power."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.lab.cgroup import Group
from tests.lab.command import run, tail, until
from tests.lab.errors import LabError
from tests.lab.folders import HERE
from tests.lab.network import Network
from tests.lab.volume import DISKS

BOOT_SECONDS = 60
# Longer than what systemd grants a service that does not want to end.
SHUTDOWN_SECONDS = 120
POWER_OFF_SECONDS = 10
# What init takes as the order to power off: systemd(1), signals.
POWEROFF = signal.SIGRTMIN + 4
NSPAWN_STATE = Path("/run/systemd/nspawn")


@dataclass(frozen=True)
class Guest:
    name: str
    folder: Path
    network: Network

    @property
    def root(self) -> Path:
        return DISKS / self.name / "root"

    @property
    def group(self) -> Group:
        return Group(self.name)

    @property
    def runs(self) -> bool:
        return bool(self.group.pids())

    @property
    def is_foreign(self) -> bool:
        """Whether what runs under this name boots from another disk than ours."""
        disks = {word for pid in self.group.pids() for word in _command(pid) if word.startswith("--directory=")}
        return bool(disks - {f"--directory={self.root}"})

    @property
    def last_words(self) -> str:
        file = self.folder / "console.log"
        return tail(file.read_text(encoding="utf-8", errors="replace")) if file.exists() else "nothing yet"

    def start(self) -> None:
        """Boot from the disk as it is. The processes are nobody's children: they outlive this one."""
        words = self.group.words(
            *("sh", HERE / "machine.sh", self.network.interface, self.network.gateway),
            "systemd-nspawn",
            *"--quiet --register=no --keep-unit --settings=no --resolv-conf=off --timezone=off".split(),
            *"--link-journal=no --boot --network-veth --capability=all --bind=/dev/fuse".split(),
            # Podman inside wants kernel keyrings, bpf for device rules, and mounts.
            "--system-call-filter=add_key keyctl bpf @privileged",
            f"--directory={self.root}",
            f"--machine={self.network.guest}",
            f"--hostname={self.name}",
        )
        environ = f"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 PATH={os.environ['PATH']}".split()
        script = 'log=$1; shift; exec setsid --fork env -i "$@" </dev/null >>"$log" 2>&1'
        run("sh", "-c", script, "sh", self.folder / "console.log", *environ, *words)
        try:
            self.network.connect()
        except LabError as error:
            raise self.failed(str(error)) from error

    def stop(self) -> None:
        """Shut down in order."""
        self._signal(POWEROFF)
        if not until(lambda: self._gone, SHUTDOWN_SECONDS):
            raise self.failed(f"still running {SHUTDOWN_SECONDS} s after the order to power off")

    def power_off(self) -> None:
        """Cut the power: no process inside gets another instruction.

        What they had written without fsync is still there: it is in the machine's memory, which keeps its power.
        """
        if not self._cut():
            raise self.failed(f"still running {POWER_OFF_SECONDS} s after its power was cut")

    def remove(self) -> None:
        """End whatever runs, in whatever state it is."""
        self._cut()
        self.group.remove()
        # systemd-nspawn leaves this folder.
        propagate = NSPAWN_STATE / "propagate" / self.network.guest
        if propagate.exists():
            propagate.rmdir()

    def failed(self, what: str) -> LabError:
        return LabError(self.name, what, f"read {self.folder / 'console.log'}, which ends:\n{self.last_words}")

    @property
    def _gone(self) -> bool:
        return not self.runs and not self.network.exists

    def _cut(self) -> bool:
        """Whether it is gone. systemd-nspawn follows its guest; killed itself, it would leave it running."""

        def cut() -> bool:
            self._signal(signal.SIGKILL)
            return self._gone

        return until(cut, POWER_OFF_SECONDS)

    def _signal(self, number: int) -> None:
        for pid in filter(_is_init, self.group.pids()):
            self.group.send(pid, number)


def _is_init(pid: int) -> bool:
    """Whether it is the guest's first process, number 1 for itself; in containers there is one more level."""
    try:
        status = Path("/proc", str(pid), "status").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    return len(numbers) == 2 and numbers[1] == "1"


def _command(pid: int) -> list[str]:
    try:
        return Path("/proc", str(pid), "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
