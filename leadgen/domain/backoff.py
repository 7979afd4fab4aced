"""How long an intake waits after it failed to become a lead, and when it is given up."""

import random
from typing import Final

# With the delays below, the last attempt comes two to four minutes after the first: long enough to survive a
# temporary fault, short enough that a permanent one reaches a person while it matters.
MAX_ATTEMPTS: Final = 8
FIRST_DELAY_SECONDS: Final = 2.0

_DICE: Final = random.SystemRandom()


def delay_seconds(attempts: int, dice: random.Random = _DICE) -> float:
    """The delay after this many failed attempts: it doubles, and is randomized to spread out many intakes.

    The maximum number of attempts limits it.
    """
    longest = FIRST_DELAY_SECONDS * 2.0 ** (attempts - 1)
    return dice.uniform(longest / 2, longest)


def is_last(attempts: int) -> bool:
    """Whether an intake with this many failed attempts is given up."""
    return attempts >= MAX_ATTEMPTS
