"""A Debian host, bare or a copy of one that was kept, made in seconds and thrown away after use."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

from tests.lab import archives, certificates, disk, inputs, volume
from tests.lab.cgroup import Group
from tests.lab.command import until
from tests.lab.errors import LabError
from tests.lab.folders import LAB, PREFIX, lock, lockable
from tests.lab.guest import BOOT_SECONDS, Guest
from tests.lab.network import MACHINE_LOCK, Network
from tests.lab.receiver import Receiver
from tests.lab.runs import RUN_SECONDS, Run, words
from tests.lab.store import Store

SSH_SECONDS = 60
UNITS_SECONDS = 180
# What of a host's folder belongs to what is on its disk; keys and addresses are each host's own.
BELONGINGS = "release.yaml secrets identity.txt api-key ca.pem ca.key deployments".split()


@dataclass(frozen=True)
class Kept:
    """What a host was, for others to start from: its belongings and its disk."""

    folder: Path
    disk: Path

    @property
    def is_whole(self) -> bool:
        return self.folder.is_dir() and self.disk.is_dir()


@dataclass(frozen=True)
class Host:
    """Any process may take a host by its name: what there is to know of it is in its folder and in the kernel."""

    name: str

    @classmethod
    def named(cls, name: str) -> Self:
        if not re.fullmatch(PREFIX + r"(?!00)\d\d", name):
            raise LabError(name, "no name of a lab host", f"take one from {PREFIX}01 to {PREFIX}99")
        return cls(name)

    @property
    def directory(self) -> Path:
        return LAB / self.name

    @property
    def address(self) -> str:
        return self.network.address

    @property
    def network(self) -> Network:
        return Network(int(self.name.removeprefix(PREFIX)))

    @property
    def guest(self) -> Guest:
        return Guest(self.name, self.directory, self.network)

    @property
    def store(self) -> Store:
        return Store(self.name, self.directory, self.network)

    @property
    def receiver(self) -> Receiver:
        return Receiver(self.name, self.directory, self.network)

    @property
    def work(self) -> Group:
        """What is done to the host from outside, by processes that may outlive the one that started them."""
        return Group(f"{self.name}-work")

    @property
    def is_made(self) -> bool:
        """Whether `up` came to its end; its last act is the file."""
        return (self.directory / "address").exists() and self.guest.root.exists()

    @property
    def is_taken(self) -> bool:
        """By this checkout, by another one on the machine, or by the remains of a run that died."""
        return self.directory.exists() or self._mark.exists() or self.network.exists or self.guest.runs

    @property
    def is_foreign(self) -> bool:
        """Whether another checkout on the machine has the name."""
        return self.guest.is_foreign or (self._mark.exists() and self._mark.resolve() != self.directory.resolve())

    def up(self, kept: Kept | None = None) -> None:
        """Make the host, bare or a copy, or boot the one that is there.

        What a run that died has left of it goes first.
        """
        self.take()
        with lock(lockable(self.name)):
            if not self.is_made:
                self._clear()
                self._make(kept)
            elif not self.guest.runs:
                self.boot()

    def take(self) -> None:
        """Have the name, whether it was ours or nobody's."""
        with lock(MACHINE_LOCK):
            self._refuse_foreign()
            self.hold()

    def hold(self) -> None:
        """Take the name, which nobody else has; the caller holds the machine's lock."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._mark.unlink(missing_ok=True)
        self._mark.symlink_to(self.directory)
        volume.mount()

    def down(self) -> None:
        """Leave nothing of it: no process, interface, firewall rule, folder or disk; the last unmounts them."""
        with lock(MACHINE_LOCK):
            volume.mount()
        with lock(lockable(self.name)):
            self._clear()
            self._mark.unlink(missing_ok=True)
            if self.directory.exists():
                self.directory.rmdir()
        with lock(MACHINE_LOCK):
            volume.unmount()

    def boot(self) -> None:
        """From the disk as it is; back when the host answers over SSH."""
        self._switch_on()
        self._wait()

    def shut_down(self) -> None:
        self.hang_up()
        self.guest.stop()

    def power_off(self) -> None:
        """As if somebody pulled the plug."""
        self.hang_up()
        self.guest.power_off()

    def hang_up(self) -> None:
        """End the connection that `ssh` keeps: the next command makes a new one."""
        self._calls.remove()
        self.line.unlink(missing_ok=True)

    def snapshot(self, label: str) -> None:
        """Keep the disk under a label; the host is shut down for it, and booted again."""
        self.shut_down()
        volume.remove(self._snapshot(label))
        volume.copy(self.guest.root, self._snapshot(label))
        self.boot()

    def restore(self, label: str) -> None:
        """Back to a snapshot, running or not, whatever has happened since."""
        if not self._snapshot(label).is_dir():
            raise LabError(self.name, f"it has no snapshot `{label}`", "take it first")
        self.power_off()
        volume.remove(self.guest.root)
        volume.copy(self._snapshot(label), self.guest.root)
        self.boot()

    def keep(self, kept: Kept) -> None:
        """Shut down, it becomes something that other hosts start from: first its disk, at the end its folder."""
        self.shut_down()
        self.store.stop()
        self.receiver.stop()
        volume.copy(self.guest.root, kept.disk)
        new = kept.folder.with_suffix(".new")
        new.mkdir(parents=True)
        _copy(self.directory, new, ["base.tar", *BELONGINGS])
        if self.store.data.exists():
            shutil.copytree(self.store.data, new / "store")
        new.rename(kept.folder)

    def ssh_words(self) -> list[str]:
        """The command up to the address."""
        options = {
            "UserKnownHostsFile": self.directory / "known_hosts",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": 5,
            "LogLevel": "ERROR",
        }
        pairs = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-F", "none", "-i", str(self.directory / "key"), *pairs, f"{disk.USER}@{self.address}"]

    def ssh(
        self, command: str, *, given: str = "", check: bool = True, seconds: float = SSH_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command on the host as the operator. Raises LabError when it fails and `check` is set."""
        program, *rest = self.ssh_words()
        words = self._calls.words(program, *self._shared, *rest, command)
        done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=seconds, check=False)
        if check and done.returncode:
            said = f"{done.stdout}{done.stderr}".strip()
            raise LabError(self.name, f"`{command}` exits {done.returncode}", f"it says: {said}")
        return done

    def root(
        self, command: str, *, given: str = "", check: bool = True, seconds: float = SSH_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """The same as root."""
        return self.ssh(f"sudo -n sh -c {shlex.quote(command)}", given=given, check=check, seconds=seconds)

    def start_pyinfra(
        self, *pages: str, data: Mapping[str, str] | None = None, extra: Sequence[str] = (), **environ: str
    ) -> Run:
        """Start pages (`plat_01`) without waiting for them."""
        log = self.directory / f"pyinfra-{uuid4().hex[:8]}.log"
        return Run(self.work, log, words(self.name, pages, data or {}, extra), environ)

    def pyinfra(
        self,
        *pages: str,
        data: Mapping[str, str] | None = None,
        extra: Sequence[str] = (),
        seconds: float = RUN_SECONDS,
        **environ: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run pages (`plat_01`); all they say is in stdout."""
        return self.start_pyinfra(*pages, data=data, extra=extra, **environ).done(seconds)

    @property
    def _shared(self) -> list[str]:
        """Options by which commands share a connection: one of its own costs five times as much."""
        options = {
            "ControlMaster": "auto",
            "ControlPath": self.line,
            "ControlPersist": 60,
            "ServerAliveInterval": 5,
        }
        return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]

    @property
    def line(self) -> Path:
        """The socket of that connection; beside the marks, because the path of a socket has to be short."""
        return MACHINE_LOCK / f"{self.name}.ssh"

    @property
    def _calls(self) -> Group:
        """The processes that run commands over SSH, and the one that keeps the connection open."""
        return Group(f"{self.name}-ssh")

    def _make(self, kept: Kept | None) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if kept:
            disk.make(self.guest.root, self.name, self.network, kept.disk)
            # It was never off: what a host catches up with at a boot would depend on the time of the day.
            for stamp in (self.guest.root / "var/lib/systemd/timers").glob("stamp-*"):
                os.utime(stamp, follow_symlinks=False)
            _copy(kept.folder, self.directory, ["base.tar", *BELONGINGS])
            if (kept.folder / "store").exists():
                shutil.copytree(kept.folder / "store", self.store.data)
        else:
            with archives.held() as made:
                disk.make(self.guest.root, self.name, self.network, made.root)
                inputs.write(self.directory, made)
                certificates.install(self.directory, self.guest.root)
        disk.make_keys(self.guest.root, self.directory, self.address)
        self._switch_on()
        if self.store.data.exists():
            self.store.start()
            self.receiver.start()
        self._wait()
        state = self.ssh("systemctl is-system-running --wait", check=False, seconds=UNITS_SECONDS).stdout.strip()
        if state != "running":
            units = self.ssh("systemctl --failed --plain --no-legend", check=False).stdout.strip()
            raise self.guest.failed(f"it is {state} after its first boot: {units}")
        (self.directory / "address").write_text(f"{self.address}\n", encoding="ascii")

    def _switch_on(self) -> None:
        self.hang_up()
        self.network.open()
        self.guest.start()

    def _wait(self) -> None:
        if not until(self._answers, BOOT_SECONDS):
            raise self.guest.failed(f"no answer over SSH after {BOOT_SECONDS} s")

    def _clear(self) -> None:
        """Away with all but the folder itself, which keeps the name taken."""
        self._refuse_foreign()
        # First of all, the inventory must not name a host that is half gone.
        (self.directory / "address").unlink(missing_ok=True)
        self.hang_up()
        self.work.remove()
        self.store.stop()
        self.receiver.stop()
        self.guest.remove()
        self.network.close()
        for path in self.directory.glob("*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in self.directory.glob(".*"):
            path.unlink()
        for root in (self.guest.root, *self._snapshots.glob("*")):
            volume.remove(root)
        shutil.rmtree(self.guest.root.parent, ignore_errors=True)

    @property
    def _snapshots(self) -> Path:
        return self.guest.root.parent / "snapshots"

    def _snapshot(self, label: str) -> Path:
        return self._snapshots / label

    @property
    def _mark(self) -> Path:
        """A link that the whole machine sees, to the folder of who has the name; without that it holds nothing."""
        return MACHINE_LOCK / self.name

    def _refuse_foreign(self) -> None:
        if self.is_foreign:
            raise LabError(self.name, "it belongs to another checkout on this machine", "take another name")

    def _answers(self) -> bool:
        return self.ssh("true", check=False).returncode == 0


def _copy(source: Path, target: Path, names: Sequence[str]) -> None:
    """The base archive, which is large and never written to, by a link."""
    for path in (source / name for name in names):
        if path.is_dir():
            shutil.copytree(path, target / path.name)
        elif path.name == "base.tar":
            (target / path.name).hardlink_to(path)
        elif path.exists():
            shutil.copy2(path, target / path.name)


def every() -> Iterator[Host]:
    """The hosts of this checkout, whole or not."""
    for folder in sorted(LAB.glob(f"{PREFIX}??")):
        yield Host.named(folder.name)


def claim() -> Host:
    """The first host that nobody on this machine has, from now on the caller's: `down` gives it back."""
    LAB.mkdir(exist_ok=True)
    for number in range(1, 100):
        host = Host.named(f"{PREFIX}{number:02}")
        with lock(MACHINE_LOCK):
            if not host.is_taken:
                host.hold()
                return host
    raise LabError("lab", "99 hosts are up", "run `python -m tests.lab down --all`")
