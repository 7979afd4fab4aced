"""What a page is known by: its files as they lie on the host, and a hash that no comment of them is part of."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deploys.kit.facts import digest
from deploys.kit.operations import gate
from deploys.kit.plan import runbook
from deploys.kit.run.page import Page
from deploys.kit.run.steps import Step


def known(content: str, path: str = "/etc/a.conf") -> Page:
    """A page that owns one file."""
    nothing: Any = SimpleNamespace(name="lab", run_id="run-1", git="abc", owned=set())
    made = Page(runbook.find("PLAT_01"), nothing, nothing, nothing, read_only=False, verify_again=False)
    made.owns(path, content)
    return made


def test_a_step_holds_of_each_file_what_is_to_be_on_the_host_and_what_it_means() -> None:
    step = known("# a\nport 1\n").step()
    assert step.files == {"/etc/a.conf": digest("# a\nport 1\n")}
    assert step.meanings == {"/etc/a.conf": digest("port 1\n")}


@pytest.mark.parametrize(
    ("content", "settled"), [("# b\nport 1\n", True), ("port 1\n", True), ("# a\nport 2\n", False)]
)
def test_a_page_is_settled_whatever_its_comments_say(content: str, *, settled: bool) -> None:
    now = known(content)
    now.remember(known("# a\nport 1\n").step())
    assert now.settled() is settled


@pytest.mark.parametrize(
    "step", [None, replace(known("").step(), passed=""), replace(known("").step(), red="run")]
)
def test_a_page_that_has_not_passed_is_not_settled(step: Step | None) -> None:
    now = known("")
    now.remember(step)
    assert not now.settled()


@pytest.mark.parametrize(("name", "verb"), [("_once", gate.once), ("_wait", gate.wait)])
def test_a_check_in_other_words_is_the_same_check(
    monkeypatch: pytest.MonkeyPatch, name: str, verb: Callable[..., None]
) -> None:
    monkeypatch.setattr(gate, name, lambda **_: None)
    hashes = []
    for command in ("# Why.\ntrue", "# Because.\ntrue", "false"):
        asked = known("")
        verb(asked, "check", command, seconds=1)
        hashes.append(asked.step().config)
    assert (hashes[0] == hashes[1], hashes[0] == hashes[2]) == (True, False)
