"""Steps: what the host wrote is read back; a file that a power cut left is no pass, and a mark stays a mark."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploys.kit.facts import Answer
from deploys.kit.run import page as pages
from deploys.kit.run import steps
from deploys.kit.run.steps import Step, Steps
from tests.deploys.known_host import KnownHost

LATER = "2026-11-22T10:30:00+00:00"
PASSED = Step(
    "PLAT_01",
    "lab",
    "c" * 64,
    "2026-11-21T10:30:00+00:00",
    "run-1",
    "abc",
    {"/etc/a": "d" * 64, "/etc/b": "e" * 64},
    {"/etc/a": "1" * 64, "/etc/b": "2" * 64},
)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of the host's; the commands run in a shell here."""
    monkeypatch.setattr(steps, "DIRECTORY", str(tmp_path / "steps"))
    return tmp_path / "steps"


def shell(command: str) -> list[str]:
    return subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout.splitlines()


def on_host() -> dict[str, Step]:
    return Steps().process(shell(Steps().command()))


def test_a_host_that_no_page_has_met_knows_nothing(directory: Path) -> None:
    assert not directory.exists()
    assert on_host() == {}


def test_a_step_is_read_as_it_was_written_and_ends_the_red_mark(directory: Path) -> None:
    directory.mkdir()
    (directory / "PLAT_01.red").write_text('{"run": "run-0"}\n')
    shell(str(steps.write_command(PASSED)))
    assert on_host() == {"PLAT_01": PASSED}
    assert on_host()["PLAT_01"].green


def test_a_page_that_failed_since_is_red_and_still_known_to_have_passed(directory: Path) -> None:
    shell(str(steps.write_command(PASSED)))
    (directory / "PLAT_01.red").write_text('{"run": "run-2", "time": "x", "operation": "y"}\n')
    found = on_host()["PLAT_01"]
    assert (found.green, found.red, found.passed) == (False, "run-2", PASSED.passed)


def test_a_page_that_failed_the_first_time_is_red(directory: Path) -> None:
    directory.mkdir()
    (directory / "PLAT_01.red").write_text('{"run": "run-2", "time": "x", "operation": "y"}\n')
    assert (on_host()["PLAT_01"].green, on_host()["PLAT_01"].red) == (False, "run-2")


@pytest.mark.parametrize(
    "left",
    [
        *("", "{", '{"page": "PLAT_01", "pass', "[]", "null", "\0\0\0"),
        *('{"passed": "x", "files": null}', '{"passed": "x", "meanings": []}'),
    ],
)
def test_what_a_power_cut_left_of_a_step_is_no_pass(directory: Path, left: str) -> None:
    directory.mkdir()
    (directory / "PLAT_01.json").write_text(left)
    (step,) = on_host().values()
    assert step == Step("PLAT_01", unreadable=True)


def test_a_record_that_cannot_be_read_at_all_is_not_a_page_that_never_ran(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell(str(steps.write_command(PASSED)))
    head = tmp_path / "head"
    head.write_text("#!/bin/sh\necho 'head: cannot open: Input/output error' >&2\nexit 1\n")
    head.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert directory.exists()
    assert on_host() == {"PLAT_01": Step("PLAT_01", unreadable=True)}


def test_words_before_the_record_are_no_page() -> None:
    assert Steps().process(["a banner of the host", "==> PLAT_01.red <==", '{"run": "run-1"}']).keys() == {
        "PLAT_01"
    }


def test_a_step_says_nothing_of_its_own_health(directory: Path) -> None:
    directory.mkdir()
    (directory / "PLAT_01.json").write_text('{"passed": "now", "red": "run-9", "unreadable": true}\n')
    assert on_host() == {"PLAT_01": Step("PLAT_01", passed="now")}


@pytest.mark.parametrize("left", ["", "{", "[]", "\0\0\0"])
def test_what_a_power_cut_left_of_a_red_mark_is_still_a_mark(directory: Path, left: str) -> None:
    shell(str(steps.write_command(PASSED)))
    (directory / "PLAT_01.red").write_text(left)
    assert not on_host()["PLAT_01"].green


def test_a_step_of_a_later_kit_with_more_in_it_is_read(directory: Path) -> None:
    directory.mkdir()
    later = {"page": "PLAT_01", "passed": "now", "release": "lab", "config": "c", "images": {}}
    (directory / "PLAT_01.json").write_text(json.dumps(later) + "\n")
    assert on_host()["PLAT_01"].green


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"passed": "later", "run": "run-9", "git": "def"}, True),
        ({"config": "e" * 64}, False),
        ({"release": "lab-2"}, False),
    ],
    ids=str,
)
def test_a_step_equals_another_of_its_release_and_configuration(change: dict[str, object], same: object) -> None:
    assert PASSED.equals(replace(PASSED, **change)) is same  # type: ignore[arg-type]  # fields of a step


def passed(wanted: Step, found: Step | None = PASSED, lying: Mapping[str, str] | None = None) -> Step | None:
    """What the last operation of a page writes on a host that knows `found`, and on which these files lie."""
    sums = PASSED.files if lying is None else lying
    known = {} if found is None else {found.page: found}
    host = KnownHost(
        {Steps: known}, {"sha256sum": Answer(0, [f"{content}  {path}" for path, content in sums.items()])}
    )
    page = SimpleNamespace(id=wanted.page, step=lambda: wanted)
    commands = host.run(pages._passed, page=page)  # noqa: SLF001 - the operation is under test
    if not commands:
        return None
    shell(str(*commands))
    return on_host()[wanted.page]


SAME = replace(PASSED, passed=LATER, run="run-2")


@pytest.mark.usefixtures("directory")
def test_a_page_that_passes_again_as_before_writes_nothing() -> None:
    assert passed(SAME) is None


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(
    "change",
    [
        {"config": "e" * 64},
        {"release": "lab-2"},
        {"files": {}, "meanings": {}},
        {"meanings": {**PASSED.meanings, "/etc/a": "3" * 64}},
    ],
    ids=str,
)
def test_a_page_that_passes_otherwise_writes_its_step(change: dict[str, Any]) -> None:
    wanted = replace(SAME, **change)
    assert passed(wanted) == wanted


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("found", [None, replace(PASSED, red="run-2")])
def test_a_page_that_never_passed_or_is_red_writes_its_step(found: Step | None) -> None:
    assert passed(SAME, found) == SAME


REWORDED = replace(SAME, files={**PASSED.files, "/etc/a": "f" * 64})


@pytest.mark.usefixtures("directory")
def test_a_file_left_with_older_comments_keeps_its_sum() -> None:
    assert passed(REWORDED) is None
    files, meanings = {**REWORDED.files, "/etc/b": "0" * 64}, {**PASSED.meanings, "/etc/b": "3" * 64}
    wanted = replace(REWORDED, config="e" * 64, files=files, meanings=meanings)
    assert passed(wanted) == replace(wanted, files={**wanted.files, "/etc/a": PASSED.files["/etc/a"]})


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("content", ["f" * 64, "7" * 64, None], ids=["new", "by hand", "gone"])
def test_a_file_that_does_not_lie_there_as_it_was_left_has_the_sum_of_the_wanted_one(content: str | None) -> None:
    assert passed(REWORDED, lying={"/etc/a": content} if content else {}) == REWORDED
