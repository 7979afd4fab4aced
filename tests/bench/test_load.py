"""Reading a climb: the highest pace that was kept, and the line that is drawn."""

from tests.bench.rows.load import Point, highest, line


def test_the_highest_pace_is_one_that_was_kept() -> None:
    assert highest([(50, 2, 9), (100, 3, 50), (200, 4, 51)]) == 100
    assert highest([(50, 2, 9), (100, 3, 60), (200, 4, 12), (300, 9, 900)]) == 200
    assert highest([(50, 2, 60)]) == 0


def test_a_line_goes_by_medians_and_as_far_as_every_round_came() -> None:
    rounds: list[list[Point]] = [[(50, 1, 8), (100, 2, 30)], [(50, 2, 9), (100, 4, 10)], [(50, 6, 100)]]
    assert line(rounds, 1) == [(50, 2)]
    assert line(rounds[:2], 2) == [(50, 8.5), (100, 20)]
