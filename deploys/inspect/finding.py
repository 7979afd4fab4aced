"""Differences between a host and what its pages say: the form in which drift is told."""

from dataclasses import dataclass
from typing import Final, Self

SAME: Final = 0
DIFFERENT: Final = 1
UNSEEN: Final = 2


@dataclass(frozen=True)
class Finding:
    """`where` is the thing's own name, such as a path, a container or a page; `remedy` ends the difference."""

    kind: str
    where: str
    what: str
    remedy: str

    @classmethod
    def read(cls, kind: str, sentence: str) -> Self:
        """From `where: what; what to do`."""
        where, _, rest = sentence.partition(": ")
        what, _, remedy = rest.rpartition("; ")
        return cls(kind, where, what, remedy)


@dataclass(frozen=True)
class Drift:
    """One host; `unseen` says, each in a sentence, what could not be looked at."""

    host: str
    findings: list[Finding]
    unseen: list[str]
    seconds: float

    @property
    def code(self) -> int:
        """What a program ends with; a host that was not seen whole is not called clean, nor is it drift."""
        if self.unseen:
            return UNSEEN
        return DIFFERENT if self.findings else SAME
