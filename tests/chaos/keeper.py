"""Keeps one part of the system running, like a host's supervisor that never gives up."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from leadgen.dev.errors import CannotStart
from leadgen.dev.supervisor import Part

POLL_SECONDS: Final = 0.1
RESTART_SECONDS: Final = 0.5  # between a death and the next start
START_SECONDS: Final = 60


class Kept:
    """A part in its own thread: its process gets a signal to end when the thread that started it ends."""

    def __init__(self, name: str, part: Part) -> None:
        self.name = name
        self.part = part
        self._away = 0
        self._changing = threading.RLock()
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"keeper-{name}", daemon=True)

    def start(self) -> None:
        """Return when other parts can rely on this one. Raises CannotStart."""
        self._thread.start()
        if not self._started.wait(START_SECONDS):
            raise CannotStart(self.name, f"it did not start within {START_SECONDS} s", "read its log")

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Stop it normally, and do not restart it within the block."""
        with self.unattended():
            with self._changing:
                self.part.stop()
            yield

    @contextmanager
    def unattended(self) -> Iterator[None]:
        """Do not start it within the block, even if it dies."""
        with self._changing:
            self._away += 1
        try:
            yield
        finally:
            with self._changing:
                self._away -= 1

    def _run(self) -> None:
        self._revive()
        while not self._stopping.wait(POLL_SECONDS):
            if self.part.pid is None and not self._away:
                self._stopping.wait(RESTART_SECONDS)
                self._revive()
        with self._changing, contextlib.suppress(OSError):  # its disk may have no power: Ctrl-C comes at any time
            self.part.stop()

    def _revive(self) -> None:
        with self._changing, contextlib.suppress(CannotStart, OSError):  # the next round tries again
            if not self._away:
                self.part.start()
                self._started.set()
