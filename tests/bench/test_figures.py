"""The arithmetic between samples and the table: medians, pairs, goals, percentiles."""

import json
from functools import partial

import pytest

from tests.bench.figures import Figure, Goal, Spread
from tests.bench.percentiles import p99, percentile
from tests.bench.rounds import differences, interleave, ratios


def test_arms_take_turns_and_none_is_always_the_first() -> None:
    called: list[str] = []

    def call(name: str) -> int:
        called.append(name)
        return len(called)

    found = interleave({name: partial(call, name) for name in "AB"}, 3)
    assert "".join(called) == "ABBAAB"
    assert found == {"A": [1, 4, 5], "B": [2, 3, 6]}


def test_a_ratio_is_taken_pair_by_pair() -> None:
    """The machine was half as fast in the second round: that falls out."""
    assert ratios([300, 150, 330], [600, 300, 600]).samples == [0.5, 0.5, 0.55]
    assert differences([7.5, 9], [5, 6], "ms") == Spread([2.5, 3], "ms")


def test_rounds_without_their_other_half_are_not_pairs() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([300, 150], [600])


def test_a_spread_is_shown_as_its_median_and_its_range() -> None:
    assert str(Spread([0.44, 0.31, 0.454])) == "0.44 (0.31 to 0.45)"
    assert str(Spread([1_417.2, 1_106, 1_397], "/s")) == "1,397 (1,106 to 1,417) /s"
    assert str(Spread([12.71, 8.04], "ms")) == "10.4 (8.04 to 12.7) ms"


@pytest.mark.parametrize(
    ("goal", "words", "met", "missed"),
    [(Goal(0.6), "≥ 0.6", 0.6, 0.59), (Goal(3, at_most=True), "≤ 3", 3, 3.01)],
)
def test_a_goal_is_reached_on_its_own_side_only(goal: Goal, words: str, met: float, missed: float) -> None:
    assert str(goal) == words
    assert goal.met(met)
    assert not goal.met(missed)


def test_the_median_is_held_against_the_goal_and_not_the_best_round() -> None:
    figure = Figure("accept-16", "202", Spread([0.5, 0.55, 0.9]), Goal(0.6))
    assert figure.met is False
    assert Figure("floor", "202", Spread([0.5])).met is None


def test_a_figure_is_the_same_after_json() -> None:
    figure = Figure(
        "redis-hung",
        "p99",
        Spread([1.0, 1.2]),
        Goal(1.1, at_most=True),
        {"up": Spread([9.5, 10], "ms")},
        {"up": [(0.5, 4.2), (0.99, 10)]},
    )
    assert Figure.read(json.loads(json.dumps(figure.document()))) == figure


def test_a_percentile_is_a_measured_wait() -> None:
    waits = [float(wait) for wait in range(200, 0, -1)]
    assert p99(waits) == 198
    assert percentile(waits, 0.5) == 100
    assert percentile([7.0], 0.5) == p99([7.0]) == 7
