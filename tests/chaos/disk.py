"""A disk whose power can be cut: ext4 in a file, which keeps only flushed data."""

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final, Self

BYTES: Final = 4 * 1024**3  # the file is sparse: it only uses what is written

_SHUTDOWN: Final = 0x8004587D  # EXT4_IOC_SHUTDOWN
_NOTHING_FLUSHED: Final = struct.pack("I", 2)  # EXT4_GOING_FLAGS_NOLOGFLUSH
_OWN_MOUNTS: Final = 0x00020000  # CLONE_NEWNS
_PROGRAMS: Final = ("cp", "mkfs.ext4", "mount", "umount")


def obstacle() -> str | None:
    """Why no power can be cut here."""
    if os.geteuid() != 0:
        return "it takes root to mount a disk"
    if not Path("/dev/loop-control").exists():
        return "this machine has no loop devices"
    missing = [program for program in _PROGRAMS if not shutil.which(program)]
    return f"{', '.join(missing)} not found" if missing else None


class Disk:
    """Mounted at `folder` as long as the block lasts; then nothing is left of it.

    Only this thread sees it, and what it starts from then on; so it goes with the process, however that ends.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._image = self.folder.with_name(f"{folder.name}.image")

    def __enter__(self) -> Self:
        _keep_mounts_to_ourselves()
        self.folder.mkdir()
        with self._image.open("xb") as file:
            file.truncate(BYTES)
        _run("mkfs.ext4", "-q", "-F", self._image)
        self._mount()
        return self

    def __exit__(self, *_: object) -> None:
        if self.folder.is_mount():
            _run("umount", "--lazy", self.folder)  # even while processes still use it
        self._image.unlink(missing_ok=True)
        self.folder.rmdir()

    def cut(self) -> None:
        """Let everything be gone that is not on the disk: from now on each read and write fails."""
        opened = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(opened, _SHUTDOWN, _NOTHING_FLUSHED)
        finally:
            os.close(opened)

    def power_up(self) -> None:
        """Mount the disk as it was at the cut, from a copy, because unmounting could still write."""
        copy = self._image.with_suffix(".copy")
        _run("cp", "--sparse=always", self._image, copy)
        _run("umount", self.folder)
        copy.replace(self._image)
        self._mount()

    @contextmanager
    def full(self) -> Iterator[None]:
        """Take all its free space during the block."""
        filling = self.folder / "filling"
        try:
            with filling.open("xb") as file:
                # In ever smaller pieces: the last ones are what a single large one would leave.
                for piece in (2**power for power in range(30, 11, -1)):
                    with suppress(OSError):
                        while True:
                            os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), piece)
            yield
        finally:
            filling.unlink()

    def _mount(self) -> None:
        _run("mount", "-t", "ext4", "-o", "loop", self._image, self.folder)


@cache
def _keep_mounts_to_ourselves() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_OWN_MOUNTS):
        raise OSError(ctypes.get_errno(), "this process cannot create its own mounts")
    _run("mount", "--make-rprivate", "/")


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
