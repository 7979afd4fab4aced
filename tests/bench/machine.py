"""What the figures were taken on: without it a number says nothing."""

import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

_SYNCS = 200


def facts(folder: Path) -> dict[str, str]:
    """Name -> words; `folder` is where the database's files are."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "system": f"Linux {_short(platform.release())}, Python {_short(platform.python_version())}, PostgreSQL 18",
        "one flush of 8 KiB to disk": f"{median(_syncs(folder)) * 1000:.2f} ms",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _short(version: str) -> str:
    """Full versions are only in requirements/."""
    return ".".join(version.split(".")[:2])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _syncs(folder: Path) -> Iterator[float]:
    """Seconds that each of some small appends takes to be on disk."""
    file = folder / "flushed"
    with file.open("wb") as opened:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            opened.write(bytes(8192))
            opened.flush()
            os.fdatasync(opened.fileno())
            yield time.perf_counter() - began
    file.unlink()
