"""The directory in which the API's processes share their metrics: in memory, and never on a disk."""

import logging
import os
import tempfile
from pathlib import Path
from typing import Final

from leadgen.config import Config
from leadgen.log import event

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - every Linux has it, containers too

_MOUNTS: Final = Path("/proc/self/mountinfo")
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})

_log: Final = logging.getLogger(__name__)


def fresh_metrics_dir(config: Config) -> Path | None:
    """A directory for the metrics, cleared of those of ended processes, which would be counted forever.

    The files are mapped: on a disk that is full, writing to one would kill the process. None, with a log line, if
    this machine has no place in memory for files: each process then counts for itself.
    """
    own = own_place(config.bind)
    places = [own] if config.metrics_dir is None else [config.metrics_dir, own]
    return next((place for place in places if _prepare(place, everybodys=place is own)), None)


def _prepare(place: Path, *, everybodys: bool) -> bool:
    """Whether metrics can be kept there; if everybody may create that path, the one that is there must be ours."""
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if reason := _unfit(place, everybodys=everybodys):
            event(_log, "metrics_dir_refused", level=logging.WARNING, directory=str(place), reason=reason)
            return False
        for file in place.glob("*_[0-9]*.db"):  # named by prometheus_client: kind of metric, pid
            if not _is_alive(int(file.stem.rpartition("_")[2])):  # another `serve` that runs keeps its own
                file.unlink()
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        event(_log, "metrics_dir_refused", level=logging.WARNING, directory=str(place), reason=error.strerror)
        return False
    return True


def _unfit(place: Path, *, everybodys: bool) -> str | None:
    if everybodys and place.lstat().st_uid != os.getuid():
        return "it belongs to another user"
    return None if in_memory(place) else "it is on a disk, and not in memory"


def in_memory(place: Path) -> bool:
    """Whether the file system of that directory keeps its files in memory only."""
    mounts = {}
    for line in _MOUNTS.read_text(encoding="utf-8").splitlines():
        fields, _, kind = line.partition(" - ")
        mounts[fields.split()[2]] = kind.split()[0]  # major:minor
    device = place.stat().st_dev
    return mounts.get(f"{os.major(device)}:{os.minor(device)}") in _IN_MEMORY


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def own_place(bind: str) -> Path:
    """The same at each start: a process that becomes gunicorn, or is killed, cannot clean up when it ends."""
    return MEMORY / f"leadgen-metrics-{os.getuid()}-{bind.rpartition(':')[2]}"
