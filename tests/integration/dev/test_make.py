"""What `make` removes and installs, on a copy of the Makefile: no lead by mistake, .venv when it does not fit."""

import fcntl
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[3] / "Makefile"
OTHER_PYTHON = """#!/bin/sh
case $2 in
    *realpath*) echo /opt/other/bin/python3 ;;
    *) exec "{python}" "$@" ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "it's a project"
    (folder / ".dev/postgres").mkdir(parents=True)
    (folder / ".dev/lock").write_text("")
    (folder / ".venv").mkdir()
    shutil.copy(MAKEFILE, folder)
    return folder


def make(folder: Path, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        ["make", *words], cwd=folder, env=environ, stdin=stdin, capture_output=True, text=True, check=False
    )


@contextmanager
def running_in(folder: Path) -> Iterator[None]:
    with (folder / ".dev/lock").open("w") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("words", [("clean",), ("clean-data", "YES=1")])
def test_nothing_is_removed_while_the_profile_runs(project: Path, words: tuple[str, ...]) -> None:
    with running_in(project):
        refused = make(project, *words)
    assert refused.returncode != 0
    assert "make: process 4711 runs the intake in this folder; stop it first, with Ctrl-C" in refused.stderr
    assert (project / ".dev/postgres").exists()
    assert (project / ".venv").exists()


def test_clean_keeps_the_leads(project: Path) -> None:
    assert make(project, "clean").returncode == 0
    assert not (project / ".venv").exists()
    assert (project / ".dev/postgres").exists()


def test_the_data_are_not_removed_without_a_terminal_to_ask_on(project: Path) -> None:
    refused = make(project, "clean-data")
    assert refused.returncode != 0
    assert "if you mean it: make clean-data YES=1" in refused.stderr
    assert (project / ".dev/postgres").exists()
    assert make(project, "clean-data", "YES=1").returncode == 0
    assert not (project / ".dev").exists()
    assert (project / ".venv").exists()
    assert make(project, "clean-data").returncode == 0, "there is nothing left to ask about"


@pytest.mark.parametrize(
    ("answer", "removed"), [("y", True), ("YES", True), ("n", False), ("yesterday", False), ("", False)]
)
def test_the_data_are_removed_on_a_clear_answer_only(project: Path, answer: str, *, removed: bool) -> None:
    ours, its = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    asked = make(project, "clean-data", stdin=its)
    os.close(its)
    os.close(ours)
    assert "Remove .dev/ with all its leads? [y/N]" in asked.stdout
    assert (project / ".dev").exists() is not removed
    assert ("Nothing was removed." in asked.stdout, asked.returncode) == (not removed, 0)


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_link_to_the_data_is_followed_to_our_own_folder_only(
    project: Path, tmp_path: Path, *, is_ours: bool
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    makefile = (project / "Makefile").read_text()
    assert "in /var/lib/motorcade-dev/?*)" in makefile
    if is_ours:
        (project / "Makefile").write_text(makefile.replace("/var/lib/motorcade-dev/?*", f"{tmp_path}/?*"))
    (project / ".dev/postgres/elsewhere").symlink_to(elsewhere)
    assert make(project, "clean-data", "YES=1").returncode == 0
    assert elsewhere.exists() is not is_ours


def test_an_environment_is_created_again_when_it_does_not_fit(project: Path, tmp_path: Path) -> None:
    shutil.rmtree(project / ".venv")
    python = f"PYTHON={sys.executable}"
    other = tmp_path / "python"
    other.write_text(OTHER_PYTHON.format(python=sys.executable))
    other.chmod(0o755)

    def created(*words: str) -> str:
        """What make says; it leaves a marker that is still in an environment which was kept."""
        done = make(project, ".venv/made", *words)
        assert done.returncode == 0, done.stderr
        said = "" if (project / ".venv/marker").exists() else done.stdout.partition("\n")[0] or "created"
        (project / ".venv/marker").touch()
        return said

    assert created(python) == "created"
    assert created() == ""
    assert created(python) == ""
    assert created(f"PYTHON={other}") == ".venv is of another Python and is created again."
    assert created() == ""
    moved = project.rename(tmp_path / "moved 'project'")
    project = moved
    assert created() == ".venv was created in another folder and is created again."
    assert created() == ""
    with running_in(project):
        refused = make(project, ".venv/made", f"PYTHON={other}")
    assert "make: process 4711 runs the intake" in refused.stderr
    assert (project / ".venv/marker").exists()
