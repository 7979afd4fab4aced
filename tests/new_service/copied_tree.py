"""A copy of this repository with one more service in it, made by files and small edits as a developer would."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PROJECT: Final = HERE.parents[1]
NEW: Final = ".new"  # so that no tool takes the files of the new service for files of this repository

_RELEASE: Final = "herald:\n  version: {pin}\n  ref: {ref}\n"
# File -> the line after which the text goes; an empty one is the file's end.
EDITS: Final[Mapping[str, tuple[str, str]]] = {
    "CHANGELOG.md": ("### Added\n\n", "- Deploy page PLAT_90: the herald, which says one sentence.\n"),
    "deploys/kit/plan/runbook.py": (
        '    Entry("PLAT_02A", "Folders, network and target", ("PLAT_01",), ALL, "5"),\n',
        '    Entry("PLAT_90", "Herald", ("PLAT_02A",), APP),\n',
    ),
    "docs/RESOURCES.md": (
        "| `motorcade-redis.service` | [Redis](services/redis.md) | PLAT_08B |\n",
        "| `motorcade-herald.service` | [the herald](services/herald.md) | PLAT_90 |\n",
    ),
    "docs/reference/releases.md": (
        "| `redis.ref` | always | the git tag whose `containers/redis` is built; `worktree` in the lab only |\n",
        """\
| `herald.version` | always | three numbers: the upstream version of Debian's `busybox` |
| `herald.ref` | always | the git tag whose `containers/herald` is built; `worktree` in the lab only |
""",
    ),
    "group_data/all.py": ("", "\n# The herald.\nherald_memory_max_mb = 32\n"),
    "releases/lab.yaml": ("", _RELEASE.format(pin="unpinned", ref="worktree")),
    "releases/prod.yaml": ("", _RELEASE.format(pin="unpinned", ref="unpinned")),
    "releases/staging.yaml": ("", _RELEASE.format(pin="unpinned", ref="unpinned")),
}
WRITTEN: Final = "docs/RUNBOOK.md"  # by a command


def copy(target: Path) -> None:
    """What git knows of this checkout, as it is here, with a git of its own."""
    listed = _git(PROJECT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, listed):
        if (PROJECT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, target / name)
    _git(target, "init", "--quiet")
    _commit(target, "before")


def add_service(target: Path) -> None:
    """The new service's files and edits, and what `make runbook` writes."""
    for part in (HERE / "own", HERE / "around"):
        for file in part.rglob(f"*{NEW}"):
            added = target / str(file.relative_to(part)).removesuffix(NEW)
            added.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, added)
    for name, (line, text) in EDITS.items():
        before = (target / name).read_text(encoding="utf-8")
        start, found, end = before.partition(line) if line else (before, "", "")
        if line and not found:
            raise LookupError(f"{name}: has no line {line!r}; correct EDITS")
        (target / name).write_text(start + found + text + end, encoding="utf-8")
    run(target, "-m", "deploys.kit.plan.runbook_page")
    _git(target, "add", "--all")


def remove_service(target: Path) -> None:
    """The repository as it was before, as after the commit that takes a service out."""
    _git(target, "reset", "--quiet", "--hard")


def touched(target: Path) -> set[str]:
    """Every file that differs from before the service was added."""
    return set(_git(target, "diff", "--name-only", "--cached").split())


def own_folders() -> tuple[str, ...]:
    """The folders that belong to the service alone."""
    return ("containers/herald/", "deploys/services/herald/", "tests/deploys/services/herald/")


def run(target: Path, *words: str) -> str:
    """This Python in the copy. Raises CalledProcessError."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=target,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def _commit(target: Path, why: str) -> None:
    _git(target, "add", "--all")
    _git(target, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", why)


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout
