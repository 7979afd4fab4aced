"""A unit is red when it failed, or does not run although the boot wants it; a one-shot at rest is neither."""

import subprocess
from pathlib import Path

import pytest

from deploys.inspect.unit_states import UnitState, UnitStates

WELL = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "Type": "notify",
    "Result": "success",
    "NRestarts": "0",
    "WantedBy": "motorcade.target",
}
SYSTEMCTL = """#!/bin/sh
case "$*" in
    list-units*) printf 'motorcade-%s loaded active some words\\n' x.timer y.service ;;
    *x.timer) printf 'LoadState=loaded\\nWantedBy=motorcade.target timers.target\\n' ;;
    *) printf 'Result=start-limit-hit\\n\\nNRestarts=9\\n' ;;
esac
"""
LOOK = "run sudo systemctl status motorcade-x.service"
INSTALL = "run the page that owns its file again"


def unit(**shown: str) -> UnitState:
    return UnitState("motorcade-x.service", {**WELL, **shown})


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"ActiveState": "reloading"},
        {"ActiveState": "inactive", "WantedBy": ""},
        {"ActiveState": "activating", "WantedBy": ""},
        {"ActiveState": "inactive", "WantedBy": "motorcade-y.service"},
        {"ActiveState": "inactive", "Type": "oneshot"},
        {"LoadState": "not-found", "ActiveState": "inactive", "WantedBy": ""},
    ],
)
def test_who_is_as_it_shall_be_is_no_trouble(shown: dict[str, str]) -> None:
    assert unit(**shown).trouble == ""


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (
            {"ActiveState": "failed", "Result": "start-limit-hit", "NRestarts": "9", "WantedBy": ""},
            f"failed (result start-limit-hit, restarted 9 times); {LOOK}",
        ),
        ({"ActiveState": "failed", "Type": "oneshot"}, f"failed (result success, restarted 0 times); {LOOK}"),
        (
            {"ActiveState": "inactive", "SubState": "dead"},
            f"is inactive (dead, result success, restarted 0 times), but is enabled at boot; {LOOK}",
        ),
        (
            {"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code", "NRestarts": "3"},
            f"is activating (auto-restart, result exit-code, restarted 3 times), but is enabled at boot; {LOOK}",
        ),
        (
            {"LoadState": "masked", "WantedBy": ""},
            "is masked; sudo systemctl unmask motorcade-x.service, then deploys/platform.py",
        ),
        ({"LoadState": "not-found", "WantedBy": "", "Quadlet": "yes"}, f"is not-found; {INSTALL}"),
    ],
)
def test_who_is_not_says_why_and_what_to_do(shown: dict[str, str], why: str) -> None:
    assert unit(**shown).trouble == f"motorcade-x.service: {why}"


def test_it_asks_for_every_unit_known_or_on_disk_and_reads_the_answers(tmp_path: Path) -> None:
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL, encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "motorcade-z.container").touch()
    command = str(UnitStates().command()).replace("/etc/containers/systemd", str(tmp_path))
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", "-c", command], env=environ, capture_output=True, text=True, timeout=20, check=True
    )
    assert UnitStates().process(done.stdout.splitlines()) == [
        UnitState("motorcade-x.timer", {"LoadState": "loaded", "WantedBy": "motorcade.target timers.target"}),
        UnitState("motorcade-y.service", {"Result": "start-limit-hit", "NRestarts": "9"}),
        UnitState("motorcade-z.service", {"Quadlet": "yes", "Result": "start-limit-hit", "NRestarts": "9"}),
    ]
