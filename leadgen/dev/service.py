"""One of our commands, run as a child: `leadgen serve`, `worker` or `sweep`."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from leadgen.dev.child import Child, spawn, stop
from leadgen.dev.sessions import Sessions, end_sessions

STOP_SECONDS: Final = 8  # gunicorn waits for a browser's idle connection up to its keepalive of 5


class Service:
    def __init__(self, command: str, environ: Mapping[str, str], log: Path, sessions: Sessions) -> None:
        self._command = [sys.executable, "-m", "leadgen", command]
        self._environ = environ
        self._log = log
        self._sessions = sessions
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The process's pid, while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    @property
    def retired(self) -> bool:
        return self._child is not None and self._child.poll() == 0

    def start(self) -> None:
        """Start it, after ending any processes of a dead predecessor, which may hold the port."""
        if self._child:
            end_sessions({self._child.pid})
        self._child = spawn(self._command, log=self._log, environ=self._environ)
        self._sessions.add(self._child.pid)

    def stop(self) -> None:
        if self._child:
            stop(self._child, (signal.SIGTERM, STOP_SECONDS))
            end_sessions({self._child.pid})
