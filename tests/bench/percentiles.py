"""What a share of all waits stay below."""

import math
from collections.abc import Sequence

# For plots: close to each other where the tail is.
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that this share of samples does not exceed (nearest rank): always a measured value."""
    return sorted(samples)[max(math.ceil(len(samples) * share), 1) - 1]


def p99(samples: Sequence[float]) -> float:
    return percentile(samples, 0.99)
