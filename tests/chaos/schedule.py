"""The order and time of the faults, derived only from the seed, so that a run can be repeated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from tests.chaos.faults import KINDS, Kind
from tests.chaos.leads import dice

PAIRS: Final = 0.15  # of the steps are two simultaneous faults
LASTING_SECONDS: Final = 10.0  # longer faults are rare; otherwise they would take all of the time
SELDOM: Final = 0.1
PAUSE_SECONDS: Final = (0.2, 1.0)  # between one step and the next


@dataclass(frozen=True, slots=True)
class Step:
    """One fault, or two simultaneous ones; `healed` has the same faults in the order in which they are healed."""

    kinds: tuple[Kind, ...]
    healed: tuple[Kind, ...]
    pause_seconds: float
    """Before it."""

    def __str__(self) -> str:
        return " + ".join(kind.name for kind in self.kinds)


def plan(seed: int, names: Sequence[str]) -> Iterator[Step]:
    """Each kind once in random order, then random kinds without end."""
    chance = dice(("schedule", seed))
    kinds = [KINDS[name] for name in names]
    first = chance.sample(kinds, len(kinds))
    brief = [kind for kind in kinds if kind.seconds <= LASTING_SECONDS]
    weights = [1.0 if kind in brief else SELDOM for kind in kinds]
    for kind in chain(first, iter(lambda: chance.choices(kinds, weights)[0], None)):
        chosen = [kind]
        others = [other for other in brief if other.part not in {"host", kind.part}]
        if others and kind.part != "host" and chance.random() < PAIRS:
            chosen.append(chance.choice(others))
        healed = tuple(chance.sample(chosen, len(chosen)))
        yield Step(tuple(chosen), healed, chance.uniform(*PAUSE_SECONDS))
