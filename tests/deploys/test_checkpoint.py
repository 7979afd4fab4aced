"""Checkpoints: what a green page left, with the host's own lines; this machine stands for the host."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploys.kit.facts import digest
from deploys.kit.run import record
from deploys.kit.run.steps import Step

REPOSITORY = Path(__file__).parents[2]
TRIAL = """
import sys
from deploys import checkpoint
from deploys.kit.run import session, steps
session.DIRECTORY, steps.DIRECTORY = "state", "state/steps"
checkpoint.checkpoint()
"""
# What it would print for two containers of ours and one of a stranger, among a warning.
PODMAN = f"""#!/bin/sh
case "$1" in
--version) echo 'podman version {".".join("571")}' ;;
ps) echo 1; echo 2; echo 3 ;;
inspect) echo 'WARN: cgroups' >&2; echo 'motorcade-redis {"5" * 64} 8 redis-1 {"c" * 64}'; echo 'stranger 1 2 3 4'
    echo 'motorcade-postgres {"4" * 64} 17 postgres-1 {"d" * 64}' ;;
esac
"""
RUNS = {
    "run-1": (["PLAT_02A"], "OK"),
    "run-2": (["PLAT_02B", "PLAT_02C"], "OK"),
    "run-3": (["PLAT_02B"], "FAILED"),
    "run-4": (["PLAT_02B"], "OK"),
    "run-5": (["PLAT_02C"], "OK"),
}
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"


class Place:
    """A folder that stands for the repository and for the host's own state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.owned = folder / "postgres.conf"
        self.record = folder / "state/record.jsonl"

    def step(self, **values: object) -> None:
        passed: dict[str, Any] = {
            "page": "PLAT_02B",
            "release": "lab-7",
            "config": "e" * 64,
            "passed": "2026-11-21T10:30:00+00:00",
        }
        files = {str(self.owned): digest(self.owned.read_bytes())}
        step = Step(**{**passed, "run": "run-2", "git": "3f2a", "files": files, **values})
        written = {name: value for name, value in asdict(step).items() if name != "red"}
        (self.folder / "state/steps/PLAT_02B.json").write_text(json.dumps(written) + "\n")

    def run(self, page: str = "PLAT_02B", *more: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            [sys.executable, "-c", TRIAL, "lab.py", page, *more],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def checkpoints(self) -> list[str]:
        return sorted(folder.name for folder in (self.folder / "checkpoints").glob("*"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    shutil.copytree(REPOSITORY / "group_data", tmp_path / "group_data", ignore=shutil.ignore_patterns("secrets"))
    data = {"_sudo": False, "deployments_directory": "deployments"}
    (tmp_path / "lab.py").write_text(f"platform = [('@local', {data})]\n")
    (tmp_path / "state/steps").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/podman").write_text(PODMAN)
    (tmp_path / "bin/podman").chmod(0o755)
    (tmp_path / "postgres.conf").write_text("port = 5432\n")
    made = Place(tmp_path)
    made.step()
    events = [
        {"time": "2026-11-21T10:30:00+00:00", "run": run, "event": event, "pages": pages, "host": "@local"}
        for run, (pages, end) in RUNS.items()
        for event in ("STARTED", end)
    ]
    lines, _ = record.chain(record.Tail(0, record.FIRST, torn=False), events)
    made.record.write_text("\n".join(lines) + "\n")
    return made


def test_a_green_page_is_kept_with_the_host_s_own_lines(place: Place) -> None:
    done = place.run()
    assert (done.returncode, done.stdout) == (0, f"@local: wrote checkpoints/{TODAY}-PLAT_02B\n"), done.stderr
    folder = place.folder / f"checkpoints/{TODAY}-PLAT_02B"
    assert {file.name for file in folder.iterdir()} == {"README.md", "record.jsonl"}
    kept = (folder / "record.jsonl").read_bytes().splitlines(keepends=True)
    whole = place.record.read_bytes().splitlines(keepends=True)
    assert kept == [*whole[2:4], *whole[6:8]], "the run in which it passed, and the last that was OK"
    page = (folder / "README.md").read_text()
    assert "release lab-7, passed 2026-11-21T10:30:00+00:00 in run-2, git 3f2a\n" in page
    assert f"| motorcade-postgres | {'4' * 64} | 17 | postgres-1 | {'d' * 64} |\n| motorcade-redis |" in page
    assert f"| `{place.owned}` | {digest('port = 5432' + chr(10))} |" in page
    assert "stranger" not in page


def test_the_page_quotes_the_record_so_that_a_change_of_it_is_found(place: Place) -> None:
    place.run()
    page = (place.folder / f"checkpoints/{TODAY}-PLAT_02B/README.md").read_text()
    whole = place.record.read_bytes().splitlines(keepends=True)
    assert page.count("record of @local, line") == 4
    assert record.unlike(whole, page) == []
    forged = [line.replace(b"PLAT_02B", b"PLAT_02D") for line in whole]
    assert len(record.unlike(forged, page)) == 4


def test_a_checkpoint_never_overwrites_another(place: Place) -> None:
    place.run()
    first = place.folder / f"checkpoints/{TODAY}-PLAT_02B/README.md"
    before = first.read_bytes()
    place.step(release="lab-8")
    assert place.run().stdout == f"@local: wrote checkpoints/{TODAY}-PLAT_02B-2\n"
    assert first.read_bytes() == before
    assert "release lab-8" in (place.folder / f"checkpoints/{TODAY}-PLAT_02B-2/README.md").read_text()


def red(place: Place) -> None:
    (place.folder / "state/steps/PLAT_02B.red").write_text('{"run": "run-3"}\n')


def open_(place: Place) -> None:
    (place.folder / "state/steps/PLAT_02B.json").unlink()


def edited(place: Place) -> None:
    place.owned.write_text("port = 5433\n")


def forged(place: Place) -> None:
    place.record.write_text(place.record.read_text().replace("run-1", "run-0"))


def forgotten(place: Place) -> None:
    place.step(run="run-9")


def without_podman(place: Place) -> None:
    (place.folder / "bin/podman").write_text("#!/bin/sh\necho 'no such storage' >&2; exit 125\n")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (red, "PLAT_02B: has been red since run-3; run deploys/plat_02b.py"),
        (open_, "PLAT_02B: has not passed on this host; run deploys/plat_02b.py"),
        (edited, "postgres.conf was changed; run deploys/plat_02b.py"),
        (forged, "record: line 1: changed since line 2 was chained to it"),
        (forgotten, "record: does not show that run-9 succeeded; run the page again"),
        (without_podman, "no such storage; check the host"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused_and_nothing_is_written(
    place: Place, spoil: object, said: str
) -> None:
    assert callable(spoil)
    spoil(place)
    done = place.run()
    assert (done.returncode, place.checkpoints()) == (1, [])
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_page_that_the_runbook_does_not_know_is_refused(place: Place) -> None:
    done = place.run("../PLAT_02B")
    assert (done.returncode, place.checkpoints()) == (1, [])
    assert "runbook: it has no page ../PLAT_02B; docs/RUNBOOK.md lists them" in done.stderr


def test_a_host_that_the_inventory_does_not_have_is_refused(place: Place) -> None:
    done = place.run("PLAT_02B", "--limit", "moon-01")
    assert (done.returncode, place.checkpoints()) == (1, [])
    assert "lab.py: has no host moon-01; choose one that it lists" in done.stderr
