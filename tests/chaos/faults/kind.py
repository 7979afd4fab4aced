"""The definition of a fault: how it is injected and undone, how long it lasts, and what must hold meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tests.chaos.load import Load
from tests.chaos.stack import Stack

Part: TypeAlias = Literal["api", "drain", "redis", "postgres", "host"]
Keys: TypeAlias = set[str]
"""The keys that the fault is meant to affect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    name: str
    part: Part
    """The part it hits: two simultaneous faults hit different parts, and neither hits the host."""
    act: Callable[[Stack, Load], AbstractContextManager[Keys | None]]
    seconds: float
    isolated: bool
    """No submission may fail while it lasts."""
    breaks: bool
    """Clients' connections may break."""
    refuses: bool
    """Nothing may be accepted, except in its first two seconds."""
    shows: str | None
    """The dependency that health must name while it lasts."""
    needs_disk: bool
    """Only a stack with its data on a separate disk can have it."""


KINDS: Final[dict[str, Kind]] = {}


def fault(  # noqa: PLR0913 - each has a default and is given by its name
    part: Part,
    *,
    seconds: float = 0.0,
    isolated: bool = False,
    breaks: bool = False,
    refuses: bool = False,
    shows: str | None = None,
    needs_disk: bool = False,
) -> Callable[[Callable[[Stack, Load], Iterator[Keys | None]]], None]:
    """Add a generator to KINDS: it injects the fault, yields, and undoes it."""

    def add(act: Callable[[Stack, Load], Iterator[Keys | None]]) -> None:
        name = act.__name__.replace("_", " ")
        KINDS[name] = Kind(
            name=name,
            part=part,
            act=contextmanager(act),
            seconds=seconds,
            isolated=isolated,
            breaks=breaks,
            refuses=refuses,
            shows=shows,
            needs_disk=needs_disk,
        )

    return add


def possible(stack: Stack, longest: float) -> list[str]:
    """The names of the kinds that this stack supports and that last no longer than this many seconds."""
    return [
        name for name, kind in KINDS.items() if kind.seconds <= longest and (stack.disk or not kind.needs_disk)
    ]
