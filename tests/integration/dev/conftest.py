"""Profiles of their own for the tests that run `leadgen dev`."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from leadgen.dev.account import Account
from tests.integration.dev.running_profile import RunningProfile


@pytest.fixture(scope="session")
def plain_environ() -> dict[str, str]:
    """The environment without any setting of the intake."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LEADGEN_")}


@pytest.fixture(scope="module")
def make_profile(server_directory: Path, plain_environ: dict[str, str]) -> Iterator[Callable[..., RunningProfile]]:
    """Make a profile in a new folder, not yet started.

    Takes the command if it is not this Python's, whose the folder is, and settings.
    """
    profiles: list[RunningProfile] = []

    def make(*command: str | Path, account: Account | None = None, **settings: str) -> RunningProfile:
        folder = server_directory / f"profile-{uuid4().hex[:8]}"
        folder.mkdir(mode=0o755)
        if account:
            account.take(folder, 0o755)
        words = [str(word) for word in command] or [sys.executable, "-m", "leadgen"]
        identity = account.identity if account else None
        profiles.append(RunningProfile(folder, words, plain_environ | settings, identity))
        return profiles[-1]

    yield make
    for profile in profiles:
        if profile.runs:
            profile.stop()
