"""What a host says of itself, in the smallest number of round trips."""

import hashlib
from typing import NamedTuple

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase
from typing_extensions import override


class Answer(NamedTuple):
    """What a probe printed, and how it ended (a shell's exit status)."""

    status: int
    lines: list[str]

    @property
    def green(self) -> bool:
        return self.status == 0


class Probe(FactBase[Answer]):
    """Runs a read-only command whose failure is an answer too, not an error; bounded, as no probe may hang."""

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
    """Sha256 in hex, by which the kit tells whether something changed."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
