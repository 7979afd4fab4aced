"""Two short campaigns at every commit, which share the kinds; a rerun of the commit repeats them."""

import pytest

from tests import commit
from tests.chaos.campaign import SHORT_SECONDS, Orders, conduct
from tests.chaos.disk import obstacle
from tests.chaos.faults import KINDS
from tests.chaos.leads import dice
from tests.chaos.table import kinds_of, show


def half_of_the_kinds(half: int) -> tuple[str, ...]:
    """Of those that a short campaign can have on this machine."""
    brief = [name for name, kind in KINDS.items() if kind.seconds <= SHORT_SECONDS]
    able = [name for name in brief if not (KINDS[name].needs_disk and obstacle())]
    return tuple(dice(("halves", commit.number())).sample(able, len(able))[half::2])


@pytest.mark.alone("every answer and every return is held against its seconds")
@pytest.mark.parametrize("half", [0, 1])
def test_nothing_acknowledged_is_lost_whatever_dies(half: int) -> None:
    kinds = half_of_the_kinds(half)
    orders = Orders(commit.number(), requests=3_500, faults=24, minutes=0, rate=60, only=kinds)
    outcome = conduct(orders, report=print)
    print(*show(outcome), sep="\n")  # noqa: T201 - pytest shows it when the test fails
    assert {rule: faults for rule, faults in outcome.broken.items() if faults} == {}
    assert outcome.reckoning.acknowledged >= 2_900
    # Two at once count as two, so that the last kinds of the half may have had no turn.
    assert len(kinds_of(outcome)) >= len(kinds) - 3
