"""What every row is given: the servers, and how long and how often to measure."""

from dataclasses import dataclass
from pathlib import Path

from tests.bench.stack import PROJECT, Stack


@dataclass(frozen=True)
class Context:
    """`seconds` is what one sample takes; `checkouts` are those measured beside each other, by their names."""

    stack: Stack
    rounds: int
    seconds: int
    quick: bool
    against: Path | None = None

    @property
    def checkouts(self) -> dict[str, Path]:
        """This one, and perhaps another to be compared with it."""
        return {"this": PROJECT} | ({"other": self.against} if self.against else {})
