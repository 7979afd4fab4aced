"""A power cut loses unflushed data, keeps flushed data, and the disk works again afterwards."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.disk import Disk, obstacle
from tests.integration.service import until

pytestmark = pytest.mark.skipif(bool(obstacle()), reason=obstacle() or "")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with Disk(tmp_path / "disk") as disk:
        yield disk


def write(file: Path, *, flush: bool) -> None:
    with file.open("wb") as opened:
        opened.write(b"here")
        if flush:
            opened.flush()
            os.fsync(opened.fileno())


def test_a_power_cut_leaves_what_was_flushed_and_nothing_else(disk: Disk) -> None:
    for number in range(3):
        write(disk.folder / f"flushed-{number}", flush=True)
        write(disk.folder / "lost", flush=False)
        disk.cut()
        disk.power_up()
        assert {file.name: file.read_bytes() for file in disk.folder.iterdir() if file.is_file()} == {
            f"flushed-{earlier}": b"here" for earlier in range(number + 1)
        }


def test_a_disk_without_power_takes_nothing(disk: Disk) -> None:
    disk.cut()
    with pytest.raises(OSError, match="Input/output error"):
        write(disk.folder / "late", flush=True)


def test_nothing_is_left_of_a_disk_also_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Disk(tmp_path / "disk") as disk:  # noqa: PT012 - the block has to fail
        disk.cut()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text(encoding="utf-8")


def test_a_disk_goes_with_the_process_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from tests.chaos.disk import Disk\n"
        "with Disk(Path(sys.argv[1])): print(flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "disk"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"\n")
    assert until(
        lambda: (
            str(tmp_path)
            not in subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=True).stdout
        )
    )
    assert list((tmp_path / "disk").iterdir()) == []
