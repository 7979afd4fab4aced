"""The file system of all disks, in a file of its own: there a copy of a disk takes neither time nor room."""

from pathlib import Path

from tests.lab.command import run, succeeds, until
from tests.lab.folders import LAB, PREFIX

IMAGE = LAB / "disks.btrfs"
DISKS = LAB / "disks"
# What is written to the file is all it takes.
SIZE_BYTES = 64 << 30
# A host that loses its power leaves what it wrote in this machine's memory: the file itself need not be flushed.
OPTIONS = "loop,noatime,nobarrier,discard=async"
BUSY_SECONDS = 10


def mount() -> None:
    """Mount it, made first where there is none that can be mounted. The caller holds the machine's lock."""
    if DISKS.is_mount():
        return
    DISKS.mkdir(parents=True, exist_ok=True)
    if IMAGE.exists() and succeeds("mount", "-o", OPTIONS, IMAGE, DISKS):
        return
    # What it held can be made again, and what a machine that crashed has left is not worth a repair.
    with IMAGE.open("wb") as file:
        file.truncate(SIZE_BYTES)
    run("mkfs.btrfs", "--quiet", "--metadata", "single", IMAGE)
    run("mount", "-o", OPTIONS, IMAGE, DISKS)


def unmount() -> None:
    """Unmount it once no host needs it; what it holds stays. The caller holds the machine's lock."""
    if any(LAB.glob(f"{PREFIX}??")):
        return
    if DISKS.is_mount() and not until(lambda: succeeds("umount", DISKS), BUSY_SECONDS):
        run("umount", DISKS)


def create(disk: Path) -> None:
    """An empty one, with the folders above it."""
    disk.parent.mkdir(parents=True, exist_ok=True)
    run("btrfs", "subvolume", "create", disk)


def copy(source: Path, target: Path) -> None:
    """As it is at this moment; what is written to one of them later, the other does not see."""
    target.parent.mkdir(parents=True, exist_ok=True)
    run("btrfs", "subvolume", "snapshot", source, target)


def remove(disk: Path) -> None:
    if disk.exists():
        run("btrfs", "subvolume", "delete", disk)
