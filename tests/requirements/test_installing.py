"""Locks install today and next month: nothing depends on which version a registry serves as newest.

Next month is played by a folder of stub wheels beside the registry: two newer versions of every locked package, a
patch and a major one.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.locks import INSTALL, requirements

PROJECT = Path(__file__).parents[2]
LOCKS = sorted((PROJECT / "requirements").glob("*.txt"))
LONGEST_SECONDS = 300


def newer(pinned: Requirement) -> Iterator[str]:
    """The next patch and a far major version."""
    (pin,) = pinned.specifier
    *front, last = Version(pin.version).release
    yield ".".join(map(str, (*front, last + 1)))
    yield "99999"


def write_stub(folder: Path, name: str, version: str) -> None:
    """An empty package; to install it is enough that it is there."""
    stem = f"{name.replace('-', '_')}-{version}"
    with ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


@pytest.fixture(scope="module")
def next_month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with newer versions of everything that is locked."""
    folder = tmp_path_factory.mktemp("next-month")
    pinned = {each.name: each for lock in LOCKS for each in requirements(lock.read_text(encoding="utf-8"))}
    for name, requirement in pinned.items():
        for version in newer(requirement):
            write_stub(folder, name, version)
    return folder


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an empty virtual environment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    return tmp_path / "venv/bin/python"


def pip(python: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)


@pytest.mark.parametrize("lock", LOCKS, ids=[lock.stem for lock in LOCKS])
def test_a_lock_installs_although_all_it_names_has_newer_versions(
    lock: Path, python: Path, next_month: Path
) -> None:
    installed = pip(python, "install", "--no-compile", "--find-links", next_month, *INSTALL, "--requirement", lock)
    assert installed.returncode == 0, installed.stderr
    complete = pip(python, "check")
    assert complete.returncode == 0, complete.stdout


def test_without_a_lock_the_newer_versions_are_taken(python: Path, next_month: Path) -> None:
    installed = pip(python, "install", "--find-links", next_month, "pytest-cov")
    assert installed.returncode == 0, installed.stderr
    assert "99999" in pip(python, "list").stdout


def test_a_lock_that_lacks_a_package_is_found(python: Path, tmp_path: Path) -> None:
    runtime = (PROJECT / "requirements/runtime.txt").read_text(encoding="utf-8")
    lacking = tmp_path / "lacking.txt"
    lacking.write_text(re.sub(r"(?m)^werkzeug==.*\n(?:    .*\n)+", "", runtime), encoding="utf-8")
    installed = pip(python, "install", "--no-compile", *INSTALL, "--requirement", lacking)
    assert installed.returncode == 0, installed.stderr
    assert "requires werkzeug, which is not installed" in pip(python, "check").stdout


def test_writing_the_locks_again_changes_nothing_next_month(next_month: Path, tmp_path: Path) -> None:
    for kept in ("Makefile", "pyproject.toml", "requirements"):
        subprocess.run(["cp", "-a", str(PROJECT / kept), str(tmp_path)], check=True)
    done = subprocess.run(
        ["make", "--directory", tmp_path, f"PYTHON={sys.executable}", "lock"],
        env={**os.environ, "UV_FIND_LINKS": str(next_month)},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {lock.name: lock.read_bytes() for lock in (tmp_path / "requirements").glob("*.txt")} == {
        lock.name: lock.read_bytes() for lock in LOCKS
    }
