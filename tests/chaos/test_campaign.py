"""Two short campaigns at every commit; each commit has its own seeds, so a rerun repeats them."""

import pytest

from tests import commit
from tests.chaos.campaign import Orders, conduct
from tests.chaos.table import kinds_of, show


@pytest.mark.alone("every answer and every return is held against its seconds")
@pytest.mark.parametrize("half", [0, 1])
def test_nothing_acknowledged_is_lost_whatever_dies(half: int) -> None:
    seed = 2 * commit.number() + half
    outcome = conduct(Orders(seed=seed, requests=3_500, faults=24, minutes=0, rate=60), report=print)
    print(*show(outcome), sep="\n")  # noqa: T201 - pytest shows it when the test fails
    assert {rule: faults for rule, faults in outcome.broken.items() if faults} == {}
    assert outcome.reckoning.acknowledged >= 2_900
    assert sum(len(window.kinds) for window in outcome.windows) >= 23
    assert len(kinds_of(outcome)) >= 20
