"""One of our services in its own process, started by its command."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

ENDS_SECONDS = 60  # starting Python alone took 15 s on a machine that was busy enough
BUSY_SECONDS = 3  # what a machine that does other things too may add to a bound
SOON_SECONDS = BUSY_SECONDS  # an idle service needs half a second


class Service:
    """`leadgen <command>`, killed at the end of the block if it still runs; its output is in `log`."""

    def __init__(self, directory: Path, *command: str, **settings: str) -> None:
        self._file = directory / f"{command[0]}-{time.monotonic_ns()}.log"
        with self._file.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "leadgen", *command],
                cwd=directory,
                env={"PATH": os.environ["PATH"]}
                | {f"LEADGEN_{name.upper()}": text for name, text in settings.items()},
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def log(self) -> str:
        return self._file.read_text(encoding="utf-8")

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def kill_children(self) -> None:
        """Of `serve`, its workers."""
        pid = self.process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            os.kill(int(child), signal.SIGKILL)

    def exit_code(self) -> int:
        return self.process.wait(ENDS_SECONDS)


def until(condition: Callable[[], object], seconds: float = ENDS_SECONDS) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
