"""The schedule: from the seed alone, and with every kind in it."""

from itertools import islice

from tests.chaos.faults import KINDS
from tests.chaos.schedule import plan

STEPS = 300
NAMES = list(KINDS)


def drawn(seed: int) -> list[str]:
    return [f"{step} {step.healed}" for step in islice(plan(seed, NAMES), STEPS)]


def test_a_seed_gives_the_same_faults_again_and_another_one_others() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_every_kind_comes_once_before_any_comes_by_chance() -> None:
    assert {step.kinds[0].name for step in islice(plan(7, NAMES), len(KINDS))} == set(KINDS)


def test_there_are_twenty_kinds_and_more() -> None:
    assert len(KINDS) >= 20


def test_two_faults_at_once_hit_different_parts_and_are_healed_in_either_order() -> None:
    pairs = [step for step in islice(plan(3, NAMES), STEPS) if len(step.kinds) > 1]
    assert pairs
    assert all(first.part != second.part for first, second in (step.kinds for step in pairs))
    assert all(kind.part != "host" for step in pairs for kind in step.kinds), "a power cut hits every part"
    assert any(step.kinds[0].part == "host" for step in islice(plan(3, NAMES), STEPS))
    assert {step.healed == step.kinds for step in pairs} == {True, False}


def test_only_the_kinds_that_are_asked_for_come() -> None:
    assert {kind.name for step in islice(plan(1, ["redis killed"]), 5) for kind in step.kinds} == {"redis killed"}
