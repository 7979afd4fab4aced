"""Keeps the parts of the dev profile running: starts them in order, restarts dead ones, stops them all."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from leadgen.dev.child import last_lines
from leadgen.dev.errors import CannotStart

POLL_SECONDS: Final = 0.2
FIRST_DELAY_SECONDS: Final = 0.5
MOST_DEATHS: Final = 6  # with doubling delays: half a minute of trying
STEADY_SECONDS: Final = 30  # a part that ran this long counts as healthy again
MOST_LOG_BYTES: Final = 5_000_000


class Part(Protocol):
    """A server or a service; `start` returns when others can rely on it, `pid` is None after it died."""

    @property
    def pid(self) -> int | None: ...

    @property
    def retired(self) -> bool:
        """Whether it ended normally on its own, as a worker does after its thousandth job."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(slots=True)
class Supervised:
    name: str
    part: Part
    log: Path
    deaths: int = 0
    started_at: float = field(default_factory=time.monotonic)
    ran: bool = True
    """Whether its last start succeeded: a server that takes a minute to fail was never healthy."""
    due_at: float | None = None
    """When a dead part is restarted; None while it runs."""


class Supervisor:
    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._parts: list[Supervised] = []

    def start(self, name: str, part: Part, log: Path) -> None:
        """Start a part, after those it needs, and keep it running from now on."""
        self._parts.append(
            Supervised(name, part, log)
        )  # before it starts, so that a half-started part is stopped, too
        part.start()

    @property
    def has_parts(self) -> bool:
        return bool(self._parts)

    def run(self, ends: Callable[[], bool]) -> None:
        """Watch the parts until it ends, or a KeyboardInterrupt. Raises CannotStart when one keeps dying."""
        while not ends():
            self.run_once(time.monotonic())
            time.sleep(POLL_SECONDS)

    def run_once(self, now: float) -> int:
        """Check every part once; return how many were restarted."""
        started = 0
        for supervised in self._parts:
            bound_log(supervised.log)
            if supervised.due_at is not None and now >= supervised.due_at:
                self._restart(supervised, now)
                started += 1
            elif supervised.due_at is None and supervised.part.pid is None:
                self._plan_restart(supervised, now)
        return started

    def stop(self) -> None:
        """Stop in reverse order, so that no part loses one that it needs."""
        for supervised in reversed(self._parts):
            supervised.part.stop()
        self._parts.clear()

    def _plan_restart(self, supervised: Supervised, now: float) -> None:
        if supervised.part.retired:
            supervised.due_at = now
            return
        if supervised.ran and now - supervised.started_at > STEADY_SECONDS:
            supervised.deaths = 0
        supervised.deaths += 1
        if supervised.deaths == MOST_DEATHS:
            raise CannotStart(
                supervised.name,
                f"it ended {MOST_DEATHS} times in a row:{last_lines(supervised.log)}\n",
                f"read {supervised.log}",
            )
        delay = FIRST_DELAY_SECONDS * 2 ** (supervised.deaths - 1)
        supervised.due_at = now + delay
        self._report(f"{supervised.name} ended; restarting it in {delay:g} s ({supervised.log})")

    def _restart(self, supervised: Supervised, now: float) -> None:
        supervised.due_at = None
        supervised.started_at = now
        supervised.ran = False
        # One more death if it fails: the cause may pass, and otherwise the log shows it at the end.
        with contextlib.suppress(CannotStart):
            supervised.part.start()
            supervised.ran = True


def bound_log(log: Path, most: int = MOST_LOG_BYTES) -> None:
    """Rotate a log that is too long, keeping one older file; its writers append, so they continue at the start."""
    if log.exists() and log.stat().st_size > most:
        log.with_suffix(".1.log").write_bytes(log.read_bytes())
        with log.open("r+b") as opened:
            opened.truncate(0)
