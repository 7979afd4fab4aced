"""Differences between a host and what its pages say: how drift is reported."""

from dataclasses import dataclass
from typing import Final, Self

SAME: Final = 0
DIFFERENT: Final = 1
UNSEEN: Final = 2


@dataclass(frozen=True)
class Finding:
    """`where` names the thing itself, such as a path, a container or a page; `remedy` removes the difference."""

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
    """One host; `unseen` lists, each in a sentence, what could not be inspected."""

    host: str
    findings: list[Finding]
    unseen: list[str]
    seconds: float

    @property
    def code(self) -> int:
        """The exit status; a host that could not be fully inspected is neither clean nor drifted."""
        if self.unseen:
            return UNSEEN
        return DIFFERENT if self.findings else SAME
