"""Old dumps go: by age, by number of their page, and what a killed run left; files' archives and new ones stay."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from deploys.kit.operations.hostfiles import render

DAY_SECONDS = 86400


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def kept(folder: Path) -> set[str]:
    """Everything below the folder, but what is in a dump."""
    return {str(path.relative_to(folder)) for path in [*folder.glob("*"), *folder.glob("*/*")]}


def make(folder: Path, name: str, *, days: float, file: str = "counts") -> None:
    """A folder of this age, with one file."""
    path = folder / name
    path.mkdir(parents=True)
    (path / file).write_text("app.leads 1\n")
    at = time.time() - days * DAY_SECONDS
    os.utime(path, (at, at))


def prune(shell: str, world: Path, *, kept: int = 2) -> tuple[int, dict[str, Any]]:
    """How it ended, and what it reported."""
    for name in ("state", "programs"):
        (world / name).mkdir(exist_ok=True)
    values = {
        "page": "PLAT_99",
        "programs": world / "programs",
        "state": world / "state",
        "backups": world / "backups",
        "dumps_days": 28,
        "dumps_kept": kept,
    }
    for name in ("state", "dumps"):
        (world / "programs" / name).write_text(render(f"backup/{name}", **values))
        (world / "programs" / name).chmod(0o755)
    done = subprocess.run(
        [shell, str(world / "programs/dumps")], capture_output=True, text=True, timeout=30, check=False
    )
    said: dict[str, Any] = json.loads((world / "state/dumps.json").read_text())
    return done.returncode, said


def test_what_is_old_goes_and_what_is_new_stays(shell: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    make(folder, "run-1/PLAT_03", days=28.1)
    make(folder, "run-2/RESTORE", days=28.1, file="17")
    make(folder, "run-3/RESTORE", days=27.9, file="17")
    make(folder, "run-3/PLAT_03", days=27.9)
    (folder / "run-2/PLAT_02B.tar.gz").write_text("files")
    code, said = prune(shell, tmp_path)
    assert (code, said["ok"], said["removed"], said["kept"]) == (0, True, 2, 2)
    assert kept(folder) == {"run-2", "run-2/PLAT_02B.tar.gz", "run-3", "run-3/RESTORE", "run-3/PLAT_03"}


def test_of_one_page_only_the_newest_dumps_stay_and_moved_databases_are_not_counted(
    shell: str, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    for number in range(4):
        make(folder, f"run-{number}/LEADGEN_02", days=4 - number)
        make(folder, f"run-{number}/RESTORE", days=4 - number, file="17")
    make(folder, "run-0/PLAT_03", days=4)
    code, said = prune(shell, tmp_path)
    assert (code, said["removed"]) == (0, 2)
    assert {name for name in kept(folder) if name.endswith("LEADGEN_02")} == {
        "run-2/LEADGEN_02",
        "run-3/LEADGEN_02",
    }
    assert "run-0/PLAT_03" in kept(folder)
    assert {f"run-{number}/RESTORE" for number in range(4)} <= kept(folder)


def test_what_a_killed_run_left_goes_after_a_day_and_a_running_dump_stays(shell: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    make(folder, "run-1/PLAT_03.scratch", days=1.1)
    make(folder, "run-1/PLAT_03.new", days=1.1)
    make(folder, "run-2/PLAT_03.scratch", days=0.1)
    make(folder, "run-2/PLAT_03.new", days=0.1)
    code, said = prune(shell, tmp_path)
    assert (code, said["removed"]) == (0, 2)
    assert kept(folder) == {"run-2", "run-2/PLAT_03.scratch", "run-2/PLAT_03.new"}


def test_one_that_cannot_list_the_folder_fails_and_says_so(shell: str, tmp_path: Path) -> None:
    code, said = prune(shell, tmp_path)
    assert (code, said["ok"], said["reason"]) == (1, False, "was stopped before it finished")
