"""Programs of the machine, run with a bound and an error that quotes them."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab.errors import LabError

POLL_SECONDS = 0.05
TAIL_LINES = 20


def run(*words: str | Path, seconds: float = 30) -> str:
    """The program's output. Raises LabError when it fails or takes too long."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise LabError(
            str(words[0]), f"not done after {seconds:g} s", f"run it by hand: {_quote(words)}"
        ) from None
    if done.returncode:
        raise LabError(str(words[0]), f"{tail(done.stderr)} (exit {done.returncode})", f"run it: {_quote(words)}")
    return done.stdout


def succeeds(*words: str | Path, seconds: float = 10) -> bool:
    return subprocess.run(words, capture_output=True, timeout=seconds, check=False).returncode == 0


def until(condition: Callable[[], object], seconds: float) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-TAIL_LINES:])


def _quote(words: tuple[str | Path, ...]) -> str:
    return " ".join(str(word) for word in words)
