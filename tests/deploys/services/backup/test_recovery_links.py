"""What the owner of restored data leaves in its folder leads root nowhere, under dash and bash."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from deploys.kit.operations.hostfiles import render

SEGMENT = "0" * 23 + "1"
WAL = "of this segment"
NAMES = ("said", "error", "objects", "chain", "found", "expected", "found.sorted")
PROGRAMS = {
    "chown": "",
    "fallocate": "",
    "podman": 'echo "$1"; [ "$1" != exec ] || cat',
    # The words after its options.
    "setpriv": 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
    "pgbackrest": f"""
        case $* in
            *repo-ls*) echo {SEGMENT} ;;
            *archive-get*) for path in "$@"; do :; done; printf %s '{WAL}' >"$path" ;;
        esac
    """,
    "choose-backup": "echo 20261121-031000F 1795285800 a b 100 17-1 point -",
    "wal-chain": f"cat >/dev/null; echo {SEGMENT} {hashlib.sha1(WAL.encode(), usedforsecurity=False).hexdigest()}",
    "state": "",
}


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    for folder in ("scratch", "notes"):
        (tmp_path / folder).mkdir()
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "hashes.sql").write_text("SELECT 1\n")
    values = {"page": "PLAT_99", "programs": tmp_path, "user": 10001, "major": 17, "pgbackrest": "pgbackrest"}
    text = render("backup/recovery", **values).replace(
        "/etc/containers/systemd/motorcade-postgres.container", "/dev/null"
    )
    (tmp_path / "recovery").write_text(text)
    return tmp_path


def test_links_in_the_folder_of_a_copy_lead_root_nowhere(world: Path, shell: str) -> None:
    links = " ".join(f"ln -s {world}/victim $place/{name};" for name in NAMES)
    script = f"""
        set -eu
        place={world}/scratch/drill container=motorcade-drill
        fail() {{ echo "failed: $1"; exit 1; }}
        . {world}/recovery
        make_place
        {links}
        choose
        fetch_wal
        start
        hash_tables
        echo "$(cat "$place/wal/{SEGMENT}")"
        drop_place
    """
    done = subprocess.run(
        [shell, "-c", script],
        env={"PATH": f"{world}:/usr/bin:/bin", "TMPDIR": str(world / "notes")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [WAL]), done.stdout + done.stderr
    assert (world / "victim").read_text() == "untouched"
    assert [*(world / "scratch").iterdir(), *(world / "notes").iterdir()] == []


@pytest.mark.parametrize("program", ["recovery", "drill", "restore"])
def test_no_program_lets_root_write_into_that_folder(program: str) -> None:
    values = {"page": "PLAT_99", "programs": "/p", "user": 1, "major": 17, "pgbackrest": "x", "spool": "/s"}
    text = render(f"backup/{program}", **values, stale_hours=1, rpo_limit_seconds=1)
    assert [line for line in text.splitlines() if '>"$place' in line or '"$place" >' in line] == []
