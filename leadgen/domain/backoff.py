"""How long an intake rests after it failed to become a lead, and when to give it up."""

import random
from typing import Final

# With the delays below the last attempt comes two to four minutes after the first: long enough to outlive a
# passing fault, short enough that a person hears of a lasting one while it matters.
MAX_ATTEMPTS: Final = 8
FIRST_DELAY_SECONDS: Final = 2.0

_DICE: Final = random.SystemRandom()


def delay_seconds(attempts: int, dice: random.Random = _DICE) -> float:
    """The rest after this many failed attempts: doubling, and spread so that a crowd thins out.

    The number of attempts bounds it.
    """
    longest = FIRST_DELAY_SECONDS * 2.0 ** (attempts - 1)
    return dice.uniform(longest / 2, longest)


def is_last(attempts: int) -> bool:
    """Whether an intake that failed this often is given up."""
    return attempts >= MAX_ATTEMPTS
