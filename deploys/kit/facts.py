"""Facts about a host, in as few round trips as possible."""

import hashlib
from typing import NamedTuple

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase
from typing_extensions import override


class Answer(NamedTuple):
    """What a probe printed, and its exit status."""

    status: int
    lines: list[str]

    @property
    def green(self) -> bool:
        return self.status == 0


class Probe(FactBase[Answer]):
    """Runs a read-only command; a failure is an answer, not an error. Time-limited, because no probe may hang."""

    @override
    @staticmethod
    def default() -> Answer:
        return Answer(1, [])

    @override
    def command(self, command: str, seconds: int = 20) -> StringCommand:
        return StringCommand(f"timeout {seconds} sh -c", QuoteString(command), "2>&1; echo status=$?")

    @override
    def process(self, output: list[str]) -> Answer:
        status = output[-1].rpartition("status=")[2] if output else "1"
        return Answer(int(status), output[:-1])


def digest(content: str | bytes) -> str:
    """Sha256 in hex, which the kit uses to detect changes."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
