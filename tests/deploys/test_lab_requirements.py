"""Where no lab can be, its tests are skipped with a reason that says what to do about it."""

import os
import shutil

import pytest

from tests.lab import requirements


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine that has everything."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda program: f"/usr/bin/{program}")
    return monkeypatch


def test_nothing_is_missing_where_everything_is_there(machine: pytest.MonkeyPatch) -> None:
    del machine
    assert requirements.missing() == ""


def test_whoever_is_not_root_is_told(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(os, "geteuid", lambda: 1000)
    assert requirements.missing() == "only root can boot a host"


def test_programs_that_are_missing_are_named(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(shutil, "which", lambda program: None if program in {"ip", "btrfs"} else program)
    assert requirements.missing() == "this machine has no btrfs, ip"
