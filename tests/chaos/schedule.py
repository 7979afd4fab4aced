"""Which faults come when: from the seed alone, so that a run can be repeated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from tests.chaos.faults import KINDS, Kind
from tests.chaos.leads import dice

PAIRS: Final = 0.15  # of the steps are two faults at once
PAUSE_SECONDS: Final = (0.2, 1.0)  # between one step and the next


@dataclass(frozen=True, slots=True)
class Step:
    """One fault, or two at once; they are healed in the order of `healed`, which holds the same."""

    kinds: tuple[Kind, ...]
    healed: tuple[Kind, ...]
    pause_seconds: float
    """Before it."""

    def __str__(self) -> str:
        return " + ".join(kind.name for kind in self.kinds)


def plan(seed: int, names: Sequence[str]) -> Iterator[Step]:
    """Each kind once in any order, and then whatever comes, for ever."""
    chance = dice(("schedule", seed))
    kinds = [KINDS[name] for name in names]
    first = chance.sample(kinds, len(kinds))
    for kind in chain(first, iter(lambda: chance.choice(kinds), None)):
        chosen = [kind]
        others = [other for other in kinds if other.part not in {"host", kind.part}]
        if others and kind.part != "host" and chance.random() < PAIRS:
            chosen.append(chance.choice(others))
        healed = tuple(chance.sample(chosen, len(chosen)))
        yield Step(tuple(chosen), healed, chance.uniform(*PAUSE_SECONDS))
