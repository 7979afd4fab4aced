"""Rewording changes no host: every comment and docstring of a checkout is another, and nothing is to be done."""

# More than a minute: all pages run three times.

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.deploying import NOTHING, Ended, deployed, state
from tests.lab.folders import LAB, PROJECT
from tests.lab.host import Host

PARTS = (
    "config.py",
    "containers",
    "deploys",
    "group_data",
    "inventories",
    "leadgen",
    "pyproject.toml",
    "releases",
)
# Settings and units say everywhere what is a comment; scripts only above their first command.
SETTINGS = {".conf", ".container", ".network", ".path", ".service", ".socket", ".target", ".timer"}
REDIS = "/etc/motorcade/redis/redis.conf"
BOOT = "/etc/containers/systemd/motorcade-redis.container.d/20-boot.conf"
WATCH = "/etc/systemd/system/motorcade-redis-healthcheck.timer"


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A copy of this one, for the same lab hosts."""
    for part in (*PARTS, "requirements"):
        source = PROJECT / part
        if source.is_dir():
            shutil.copytree(source, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / part)
    (tmp_path / ".lab").symlink_to(LAB)
    yield tmp_path
    (tmp_path / ".lab").unlink()


def run(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A module of the checkout, in the place of this one's."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


def deployed_from(checkout: Path, host: Host) -> Ended:
    done = run(checkout, "pyinfra", "-y", "--limit", host.name, "inventories/lab.py", "deploys/platform.py")
    ended = Ended(host, done.returncode, done.stdout + done.stderr)
    assert ended.code == 0, ended.output
    return ended


def drift(checkout: Path, host: Host) -> tuple[int, list[dict[str, str]]]:
    done = run(checkout, "deploys.drift", "inventories/lab.py", "--limit", host.name, "--json")
    (told,) = json.loads(done.stdout)
    assert told["unseen"] == []
    return done.returncode, told["findings"]


def reword(checkout: Path) -> int:
    """Another text for every comment of the templates, and for the comments and docstring of every page."""
    count = 0
    for path in (checkout / "deploys").glob("**/templates/*"):
        if path.suffix in SETTINGS:
            count += change(path, r"(?m)^( *# )(?=.)", r"\1In other words: ")
        elif path.suffix == ".sh" or (path.is_file() and path.read_text(encoding="utf-8").startswith("#!")):
            count += change(path, r"\A(#!.*\n)?(# )", r"\1# In other words.\n\2")
    for path in (checkout / "deploys").glob("*.py"):
        count += change(path, r'(?s)\A"""(.*?)"""', r'"""In other words: \1"""')
        count += change(path, r"(?m)^# (.*)$", r"# In other words: \1")
    return count


def change(path: Path, pattern: str, words: str) -> int:
    """How often the pattern was there."""
    text, count = re.subn(pattern, words, path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    return count


def test_other_words_change_nothing_and_one_directive_changes_its_file(platform: Host, checkout: Path) -> None:
    before = state(platform)
    assert reword(checkout) > 200
    ended = deployed_from(checkout, platform)
    assert ended.did == NOTHING
    assert state(platform) == before
    assert drift(checkout, platform) == (0, [])

    assert change(checkout / "deploys/services/redis/templates/redis.conf", "keepalive 60", "keepalive 61") == 1
    platform.root(f"echo '# by hand' >>{WATCH}; systemctl daemon-reload")
    code, findings = drift(checkout, platform)
    found = {(each["kind"], each["where"]) for each in findings}
    assert (code, found) == (1, {("file", WATCH), ("page", "PLAT_08B"), ("page", "PLAT_08D")})
    ended = deployed_from(checkout, platform)
    titles = [each.partition(" | ")[2] for each in ended.changes]
    assert {title for title in titles if not title.endswith((" files", " record"))} == {
        "PLAT_08B | settings of Redis",
        "PLAT_08B | units of motorcade-redis",  # it holds a hash of the settings
        "PLAT_08C | motorcade-redis runs",
        "PLAT_08D | motorcade-redis-healthcheck, the watch",
        "PLAT_08D | motorcade-redis-healthcheck.timer at boot",
    }
    assert "# In other words" in platform.root(f"grep -x 'tcp-keepalive 61' {REDIS}; cat {REDIS}").stdout
    assert "# In other words" not in platform.root(f"cat {BOOT}").stdout, "only its words are others"
    hand = platform.root(f"cat {WATCH}").stdout
    assert ("# In other words" in hand, "# by hand" in hand) == (True, False)
    assert drift(checkout, platform) == (0, [])

    platform.root(f"rm {WATCH}")  # else it keeps the other words
    deployed(platform, "platform")
    assert state(platform) == before
