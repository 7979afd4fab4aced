"""A roll that is killed after any of its operations: the next one ends it, and the edge goes on."""

# More than a minute: each kill is a roll that dies and one that comes to its end.

import os
import signal
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest

from tests.lab.deploying import deploy, record
from tests.lab.host import Host
from tests.lab.load import load
from tests.lab.releases import BEGIN, SERVE, Repository
from tests.lab.rolls import all_well, release, roll, rolled
from tests.lab.runs import words

SECONDS = 300


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Two good releases."""
    made = Repository.make(tmp_path_factory.mktemp("releases") / "repository")
    for number in (1, 2):
        made.tag_changed(f"good-{number}", SERVE, BEGIN, f"    # release {number}\n{BEGIN}")
    return made


def test_killed_after_any_operation_the_roll_converges_and_the_edge_goes_on(
    platform: Host, repository: Repository
) -> None:
    rolled(platform, repository, "good-2")
    rolled(platform, repository, "good-1")
    whole = roll(platform, repository, "good-2")
    assert len(whole.marks) >= 3
    others = cycle(["good-1", "good-2"])
    with load(platform) as callers:
        for killed_after in whole.marks:
            tag = next(others)
            open_run = killed(platform, repository, tag, killed_after)
            ended = deploy(
                platform,
                "leadgen_02",
                data={"leadgen_git_ref": tag, "acknowledge": open_run},
                environ=repository.environ,
            )
            assert ended.code == 0, (killed_after, ended.output)
            assert release(platform).startswith(f"{tag}-"), killed_after
    all_well(platform, callers)


def killed(host: Host, repository: Repository, tag: str, operations: int) -> str:
    """The id of a roll that died by SIGKILL after its n-th operation."""
    line = words(host.name, ["leadgen_02"], {"leadgen_git_ref": tag}, [])[1:]
    died = subprocess.run(
        [sys.executable, "-m", "tests.lab.killed", str(operations), *line],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **repository.environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    return str(record(host)[-1]["run"])
