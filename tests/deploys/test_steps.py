"""Steps: what the host wrote is read back; a file that a power cut left is no pass, and a mark stays a mark."""

import json
import subprocess
from pathlib import Path

import pytest

from deploys.kit import steps
from deploys.kit.steps import Step, Steps

PASSED = Step("PLAT_01", "lab", "c" * 64, "2026-11-21T10:30:00+00:00", "run-1", "abc", {"/etc/a": "d" * 64})


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
    "left", ["", "{", '{"page": "PLAT_01", "pass', "[]", "null", "\0\0\0", '{"passed": "x", "files": null}']
)
def test_what_a_power_cut_left_of_a_step_is_no_pass(directory: Path, left: str) -> None:
    directory.mkdir()
    (directory / "PLAT_01.json").write_text(left)
    assert not any(step.green for step in on_host().values())


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
        ({"files": {}}, False),
    ],
    ids=str,
)
def test_a_step_is_written_anew_for_another_release_or_configuration_only(
    change: dict[str, object], same: object
) -> None:
    assert PASSED.equals(Step(**{**vars(PASSED), **change})) is same
