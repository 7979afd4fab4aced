"""Negative controls: a checker that cannot go red proves nothing."""

import re

import pytest

from tests.chaos.controls import CONTROLS
from tests.chaos.record import PAGE
from tests.chaos.table import show


@pytest.mark.parametrize("name", CONTROLS)
def test_the_checker_finds_what_a_control_spoils(name: str) -> None:
    control = CONTROLS[name]
    if control.obstacle:
        pytest.skip(control.obstacle)
    outcome = control.run(1, print)
    print(*show(outcome), sep="\n")  # noqa: T201 - pytest shows it when the test fails
    assert getattr(outcome.reckoning, control.finds), control.why
    assert control.is_met(outcome)


def test_the_page_names_every_control_and_what_it_has_to_show() -> None:
    rows = re.findall(
        r"^\| ([a-z-]+) \| (.+) \| (lost|duplicated) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    documented = [(name, why.replace("`", ""), found) for name, why, found in rows]
    assert documented == [(name, control.why, control.finds) for name, control in CONTROLS.items()]
