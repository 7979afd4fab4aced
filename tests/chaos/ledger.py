"""The client's own record of its requests and their answers: append-only, on disk, outside the system."""

import json
import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

FLUSH_SECONDS: Final = 0.02  # lines that arrive together share one flush to disk

Wanted: TypeAlias = Literal["accept", "refuse"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. Times are from the monotonic clock; without an answer `status` is None."""

    number: int
    key: str
    body: str
    """The SHA-256 of its canonical JSON, in hex."""
    wanted: Wanted
    """An invalid body, or a different body with a used key, must be refused."""
    sent: float
    answered: float | None = None
    status: int | None = None
    intake_id: str | None = None

    @property
    def acknowledged(self) -> bool:
        return self.status == 202


class Ledger:
    """Thread-safe. It holds exactly what `read` finds in the file."""

    def __init__(self, file: Path) -> None:
        self._opened = file.open("a", encoding="utf-8")
        self._lines: list[str] = []
        self._changed = threading.Lock()
        self._closing = threading.Event()
        self._flusher = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._flusher.start()

    def send(self, attempt: Attempt) -> None:
        """Log a request before it is sent."""
        self._add(
            [attempt.number, attempt.key, attempt.body, attempt.wanted, attempt.sent],
        )

    def answer(self, attempt: Attempt) -> None:
        """Log the outcome; `status` is None if it is unknown."""
        self._add([attempt.number, attempt.answered, attempt.status, attempt.intake_id])

    def close(self) -> None:
        """Return when every line is on disk."""
        self._closing.set()
        self._flusher.join()
        self._opened.close()

    def _add(self, fields: list[object]) -> None:
        line = json.dumps(fields) + "\n"
        with self._changed:
            self._lines.append(line)

    def _run(self) -> None:
        while not self._closing.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._changed:
            lines, self._lines = self._lines, []
        if lines:
            self._opened.writelines(lines)
            self._opened.flush()
            os.fsync(self._opened.fileno())


def read(file: Path) -> list[Attempt]:
    """Every attempt of a ledger, from its file alone; a last line that was cut short does not count."""
    attempts: dict[int, Attempt] = {}
    for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        match json.loads(line):
            case [number, key, body, wanted, sent]:
                attempts[number] = Attempt(number, key, body, wanted, sent)
            case [number, answered, status, intake_id]:
                attempts[number] = replace(attempts[number], answered=answered, status=status, intake_id=intake_id)
    return list(attempts.values())
