"""Interleaved repetitions: compared programs are measured side by side, because a machine's speed drifts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from tests.bench.figures import Spread

_T = TypeVar("_T")


def interleave(arms: Mapping[str, Callable[[], _T]], rounds: int) -> dict[str, list[_T]]:
    """Measure every arm once a round, in turns: A B, B A, A B; so that none is always the first."""
    found: dict[str, list[_T]] = {name: [] for name in arms}
    for name in order(list(arms), rounds):
        found[name].append(arms[name]())
    return found


def order(names: Sequence[str], rounds: int) -> Iterator[str]:
    for number in range(rounds):
        yield from names if number % 2 == 0 else reversed(names)


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Pair by pair, each from one round: what both share of the machine's mood falls out."""
    return Spread([over / under for over, under in zip(above, below, strict=True)])


def differences(above: Sequence[float], below: Sequence[float], unit: str) -> Spread:
    """Pair by pair too."""
    return Spread([over - under for over, under in zip(above, below, strict=True)], unit)
