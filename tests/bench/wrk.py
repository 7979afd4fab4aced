"""Throughput in a closed loop: each of N connections sends its next post as soon as it has its answer."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.bench.errors import CannotMeasure, Missing

SCRIPT = Path(__file__).with_suffix(".lua")


@dataclass(frozen=True)
class Throughput:
    """What one run brought; `p50` and `p99` in seconds, under full load."""

    answered: int
    seconds: int
    p50: float
    p99: float

    @property
    def per_second(self) -> float:
        return self.answered / self.seconds


def drive(url: str, key: str, document: object, *, connections: int, seconds: int) -> Throughput:
    """Post as fast as answers come. Raises Missing, and CannotMeasure when an answer is an error or lacks."""
    if not shutil.which("wrk"):
        raise Missing("wrk", "it is not installed", "on Debian: apt-get install wrk")
    done = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"),
            *("--timeout", "10s", "--script", SCRIPT, url, "--", uuid4().hex, key, json.dumps(document)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 30,
    )
    if done.returncode:
        raise CannotMeasure(
            "wrk", f"it ended with {done.returncode}: {done.stderr.strip()}", "try its command by hand"
        )
    return read(done.stdout)


def read(output: str) -> Throughput:
    """What the script's `done` has written in the last line."""
    run = json.loads(output.strip().splitlines()[-1])
    if run["refused"] or run["broken"] or not run["answered"]:
        raise CannotMeasure(
            "wrk",
            f"of {run['answered']} answers {run['refused']} were errors, and {run['broken']} did not come",
            "read the server's log",
        )
    return Throughput(run["answered"], run["microseconds"] / 1e6, run["p50"] / 1e6, run["p99"] / 1e6)
