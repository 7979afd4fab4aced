"""The dev profile as a user runs it: `leadgen dev` in its own process, seen from outside."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import psycopg

from leadgen.dev.account import Identity
from leadgen.dev.ports import free_port
from leadgen.dev.processes import Process, find
from leadgen.dev.screen import EXAMPLE

START_SECONDS = 60


class RunningProfile:
    """A folder, and the runs of `leadgen dev` on it."""

    def __init__(
        self, folder: Path, command: list[str], environ: dict[str, str], identity: Identity | None = None
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.environ = environ
        self._command = command
        self._identity = identity or Identity()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process, "not started yet"
        return self._process

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    def command(self, port: int | None = None) -> list[str]:
        return [*self._command, "dev", "--folder", str(self.folder / ".dev"), "--port", str(port or self.port)]

    def spawn(self, *, port: int | None = None, output: str = "output") -> subprocess.Popen[bytes]:
        with (self.folder / output).open("wb") as file:
            return subprocess.Popen(
                self.command(port),
                env=self.environ,
                stdout=file,
                stderr=file,
                start_new_session=True,
                **self._identity,
            )

    def start(self) -> None:
        self._process = self.spawn()
        until = time.monotonic() + START_SECONDS
        while "Send a lead" not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < until, self.output
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(START_SECONDS)

    def post(self, key: str | None = None) -> dict[str, Any]:
        """Post the example; raises HTTPError unless it is accepted."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid4())}
        return self._ask("/lead/intake", data=json.dumps(EXAMPLE).encode(), headers=headers)

    def post_until_accepted(self) -> str:
        """Post like a client that does not give up, and always with the same key; returns the intake id."""
        key = str(uuid4())
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                return str(self.post(key)["intake_id"])
            except (OSError, HTTPException):
                assert time.monotonic() < until, self.output
                time.sleep(0.1)

    def wait_until_done(self, intake_id: str, seconds: float = START_SECONDS) -> None:
        until = time.monotonic() + seconds
        while self.status(intake_id) != "done":
            assert time.monotonic() < until, self.status(intake_id)
            time.sleep(0.02)

    def status(self, intake_id: str) -> str:
        return str(self._ask(f"/lead/intake/{intake_id}")["status"])

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.setting("LEADGEN_OWNER_DATABASE_URL")) as connection:
            return connection.execute(statement).fetchall()

    def setting(self, name: str) -> str:
        lines = (self.folder / ".dev/environment").read_text().splitlines()
        return dict(line.removeprefix("export ").split("=", 1) for line in lines)[name]

    def processes(self, pid: int | None = None) -> list[Process]:
        """The supervisor, or another process, and everything under it."""
        return [process for each in _tree(pid or self.process.pid) if (process := find(each))]

    def _ask(self, path: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        key = (self.folder / ".dev/dev.key").read_text().strip()
        request = urllib.request.Request(  # noqa: S310 - our own address
            self.address + path, data, {"Authorization": f"Bearer {key}", **(headers or {})}
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - the same
            answer: dict[str, Any] = json.load(response)
            return answer


MakeProfile: TypeAlias = Callable[..., RunningProfile]


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [pid, *(inner for child in children for inner in _tree(int(child)))]
