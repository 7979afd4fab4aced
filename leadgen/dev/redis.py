"""An embedded Redis (Valkey, from a wheel) in one directory, run as a child of this process."""

import hashlib
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import leadgen.jobs
from leadgen.dev import processes, wheels
from leadgen.dev.child import Child, last_lines, spawn, stop
from leadgen.dev.errors import CannotStart
from leadgen.dev.ports import LOOPBACK, remembered_port
from leadgen.dev.processes import POLL_SECONDS, Process

START_SECONDS: Final = 10
STOP_SECONDS: Final = 3

OPERATOR: Final = "operator"
BELL: Final = "bell"
WORKER: Final = "worker"

_USERS: Final = Path(leadgen.jobs.__file__).parent / "redis_users.conf"
_CONFIGURATION: Final = """\
bind {host}
port {port}
user default off
{users}
dir {folder}
# Its data does not matter: a lost doorbell costs a moment, never a lead.
save ""
appendonly no
# Keep the command line as title, by which the next run recognizes leftover processes of this one.
set-proc-title no
"""


class EmbeddedRedis:
    """Each user has a password of its own, made by `new_password`, and the same rights as on a host."""

    def __init__(
        self,
        directory: Path,
        *,
        new_password: Callable[[], str] = lambda: secrets.token_urlsafe(24),
        log: Path | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.port = 0
        self._passwords = {user: new_password() for user, _ in _rights()}
        self._log = log or self.directory / "redis.log"
        self._child: Child | None = None

    def start(self) -> None:
        """Return when the server answers; processes left by an earlier run are ended first."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.stop()
        self.port = remembered_port(self.directory / "port")
        self._write_configuration()
        self._child = spawn([wheels.valkey_server(), self._configuration], log=self._log, environ={})
        self._wait_until_ready(self._child)

    def stop(self) -> None:
        if self._child:
            stop(self._child, (signal.SIGTERM, STOP_SECONDS))
        self._child = None
        processes.end(self.processes(), signal.SIGTERM, STOP_SECONDS)

    @property
    def retired(self) -> bool:
        """Never: a server only ends when something is wrong."""
        return False

    @property
    def pid(self) -> int | None:
        """The server's pid, while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    def url(self, user: str) -> str:
        return f"redis://{user}:{self._passwords[user]}@{LOOPBACK}:{self.port}/0"

    def processes(self) -> list[Process]:
        """The server, including one that outlived an earlier run; other users can fake any command line."""
        return processes.where(
            lambda process: process.user == os.geteuid() and process.command[1:] == (str(self._configuration),)
        )

    @property
    def _configuration(self) -> Path:
        return self.directory / "valkey.conf"

    def _write_configuration(self) -> None:
        self._configuration.touch(mode=0o600)
        users = "\n".join(
            f"user {user} on #{hashlib.sha256(self._passwords[user].encode()).hexdigest()} {rights}"
            for user, rights in _rights()
        )
        text = _CONFIGURATION.format(
            host=LOOPBACK, port=self.port, users=users, folder=_quote(str(self.directory))
        )
        self._configuration.write_bytes(os.fsencode(text))

    def _wait_until_ready(self, child: Child) -> None:
        until = time.monotonic() + START_SECONDS
        while child.poll() is None and time.monotonic() < until:
            if self._answers():
                return
            time.sleep(POLL_SECONDS)
        self.stop()
        raise CannotStart("Redis", f"it did not start:{last_lines(self._log)}\n", f"read {self._log}")

    def _answers(self) -> bool:
        """Whether the server responds: its request for a password is enough."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"-NOAUTH")
        except OSError:
            return False


def _rights() -> Iterator[tuple[str, str]]:
    """Each user's name and rights; a line may continue after a backslash."""
    for line in _USERS.read_text(encoding="ascii").replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            user, _, rights = line.partition(" ")
            yield user, " ".join(rights.split())


def _quote(path: str) -> str:
    """The path as one word of the configuration file, whatever is in it."""
    escaped = path.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n").replace("\r", r"\r")
    return f'"{escaped}"'
