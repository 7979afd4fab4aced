"""What hosts and images are made of: two small Debian systems, built once a day and kept."""

import datetime as dt
import hashlib
import shlex
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploys.kit.plan import services
from tests.lab import debian, machine, volume
from tests.lab.cgroup import Group
from tests.lab.folders import CACHE, HERE, lock, lockable
from tests.lab.volume import DISKS

ROOT_PACKAGES = (
    "systemd systemd-sysv dbus openssh-server ca-certificates iproute2 curl procps sudo".split()
)  # and no Podman: to install it is the work of PLAT_01
BASE_PACKAGES = ["ca-certificates"]
PACKAGING = ("etc/apt/", "etc/dpkg/")  # of our own files, what images want as well
# What the manifest pins of a package: the service, the key in its block, and the package.
PINNED = {
    (service.name, key): package
    for service in services.every()
    if service.pinned
    for key, package in service.pinned.measured.items()
}


@dataclass(frozen=True)
class Archives:
    folder: Path

    @property
    def key(self) -> str:
        """Other archives have another one."""
        return self.folder.name

    @property
    def root(self) -> Path:
        """The hosts' root file system, on the volume of disks."""
        return DISKS / "archives" / self.folder.name

    @property
    def base(self) -> Path:
        """The root file system that images start from, as a tar."""
        return self.folder / "base.tar"

    def version(self, package: str) -> str:
        """The upstream version of a package that the mirror offers."""
        return (self.folder / package).read_text(encoding="ascii").strip()


@contextmanager
def held() -> Iterator[Archives]:
    """Today's archives, which nobody removes inside the block; made first if need be, by one run at a time."""
    settings = machine.settings()
    archives = Archives(CACHE / _key(settings))
    folder = lockable("archives")
    while True:
        with lock(folder, shared=True):
            if _whole(archives):
                yield archives
                return
        with lock(folder):
            if not _whole(archives):
                _build(archives, settings)


def _whole(archives: Archives) -> bool:
    return archives.folder.exists() and archives.root.exists()


def upstream_version(package: str) -> str:
    """Of a package as apt shows it: without epoch and Debian revision."""
    line = next(line for line in package.splitlines() if line.startswith("Version: "))
    return line.removeprefix("Version: ").rpartition(":")[2].rpartition("-")[0]


def _key(settings: Mapping[str, bytes]) -> str:
    """Everything that shapes the archives. The day too: an older index would offer versions the mirror has not."""
    recipe = {name: (HERE / name).read_bytes() for name in ("archives.py", "debian.py", "finish_root.sh")}
    recipe["packages"] = repr(sorted(PINNED.values())).encode()
    mirrors = "\n".join(machine.sources(debian.SUITE)).encode()
    parts = [settings, _own_files(), recipe, {"mirrors": mirrors, "trust": machine.CA_BUNDLE.read_bytes()}]
    shape = hashlib.sha256(repr([sorted(part.items()) for part in parts]).encode())
    return f"{dt.datetime.now(dt.UTC):%Y%m%d}-{shape.hexdigest()[:12]}"


def _own_files() -> dict[str, bytes]:
    folder = HERE / "root"
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _build(archives: Archives, settings: Mapping[str, bytes]) -> None:
    """Beside its place first, so that a build that died half-way is never taken for a whole one."""
    # The builders of a run that died must not write on beside these.
    group = Group(f"motorcade-lab-archives-{hashlib.sha256(bytes(CACHE)).hexdigest()[:8]}")
    group.remove()
    for old in CACHE.iterdir():
        if old.name != "locks":
            shutil.rmtree(old)
    for path in archives.root.parent.glob("*"):
        volume.remove(path) if path.is_dir() else path.unlink()
    new = Archives(archives.folder.with_suffix(".new"))
    new.folder.mkdir()
    volume.create(new.root)
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(build, new, settings, group) for build in (_build_root, _build_base)]:
            done.result()
    group.remove()
    new.root.rename(archives.root)
    new.folder.rename(archives.folder)


def _build_root(archives: Archives, settings: Mapping[str, bytes], group: Group) -> None:
    files = {**settings, **_own_files()}
    debian.build(archives.root, ROOT_PACKAGES, files, [str(HERE / "finish_root.sh")], group)


def _build_base(archives: Archives, settings: Mapping[str, bytes], group: Group) -> None:
    ask = [
        f'chroot "$1" apt-cache show --no-all-versions {package} >{shlex.quote(str(archives.folder / package))}'
        for package in PINNED.values()
    ]
    forget = 'rm -f "$1/etc/hostname" "$1/etc/resolv.conf"'
    packaging = {path: file for path, file in _own_files().items() if path.startswith(PACKAGING)}
    debian.build(archives.base, BASE_PACKAGES, {**settings, **packaging}, [*ask, forget], group)
    for package in PINNED.values():
        file = archives.folder / package
        file.write_text(upstream_version(file.read_text(encoding="utf-8")), encoding="ascii")
