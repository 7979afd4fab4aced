"""A short campaign at every commit; each commit has its own seed, so a rerun repeats the campaign."""

import pytest

from tests import commit
from tests.chaos.campaign import Orders, conduct
from tests.chaos.table import kinds_of, show


@pytest.mark.alone("every answer and every return is held against its seconds")
def test_nothing_acknowledged_is_lost_whatever_dies() -> None:
    outcome = conduct(Orders(seed=commit.number(), requests=6_000, faults=42, minutes=0, rate=60), report=print)
    print(*show(outcome), sep="\n")  # noqa: T201 - pytest shows it when the test fails
    assert {rule: faults for rule, faults in outcome.broken.items() if faults} == {}
    assert outcome.reckoning.acknowledged >= 5_000
    assert sum(len(window.kinds) for window in outcome.windows) >= 40
    assert len(kinds_of(outcome)) >= 20
