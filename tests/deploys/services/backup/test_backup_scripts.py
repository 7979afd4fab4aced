"""Programs of the backups under dash and bash: nothing is lost in silence, and the disk does not fill."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploys.kit.operations.hostfiles import render

MIB = 1024 * 1024
ARCHIVE = Path("containers/postgres/postgres-archive")
SEGMENT = "0000000100000000000000%02X"
# pgBackRest as its programs meet it: it refuses while there is a file `away`, and keeps what it was given.
STORE = """#!/bin/sh
for last in "$@"; do :; done
[ ! -e "$WORLD/away" ] || { echo 'P00  ERROR: [039]: 403 (Forbidden)'; echo 'more of it'; exit 39; }
cp "$last" "$WORLD/store/"
"""


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    for folder in ("spool", "store", "state", "programs", "work"):
        (tmp_path / folder).mkdir()
    return tmp_path


Archive = Callable[[str, bytes], subprocess.CompletedProcess[str]]


@pytest.fixture
def archive(world: Path, shell: str) -> Archive:
    """The archive_command of PostgreSQL, on a spool of the test's own."""
    script = ARCHIVE.read_text().replace("/var/spool/motorcade-wal", str(world / "spool"))

    def run(name: str, content: bytes) -> subprocess.CompletedProcess[str]:
        (world / "pg_wal").write_bytes(content)
        words = [shell, "-s", str(world / "pg_wal"), name]
        return subprocess.run(words, input=script, capture_output=True, text=True, timeout=30, check=False)

    return run


def names(world: Path, folder: str = "spool") -> list[str]:
    return sorted(file.name for file in (world / folder).iterdir())


def test_until_it_is_switched_on_it_takes_nothing_and_holds_nobody_up(world: Path, archive: Archive) -> None:
    assert archive(SEGMENT % 1, b"wal").returncode == 0
    assert names(world) == []


def test_a_segment_lies_in_the_spool_whole_and_the_same_one_again_is_no_fault(
    world: Path, archive: Archive
) -> None:
    (world / "spool/on").write_text(f"{MIB}\n")
    content = b"wal" + bytes(100_000)
    assert [archive(SEGMENT % 1, content).returncode for _ in range(2)] == [0, 0]
    assert (world / "spool" / (SEGMENT % 1)).read_bytes() == content
    assert names(world) == [SEGMENT % 1, "on"]


def test_another_content_under_the_same_name_is_refused_and_replaces_nothing(
    world: Path, archive: Archive
) -> None:
    (world / "spool/on").write_text(f"{MIB}\n")
    archive(SEGMENT % 1, b"one cluster's")
    refused = archive(SEGMENT % 1, b"another cluster's")
    assert refused.returncode == 1
    assert "is in the spool with other content" in refused.stdout
    assert (world / "spool" / (SEGMENT % 1)).read_bytes() == b"one cluster's"


def test_at_its_cap_it_drops_aloud_and_the_gap_keeps_the_first_name(world: Path, archive: Archive) -> None:
    (world / "spool/on").write_text(f"{2 * MIB}\n")
    ended = [archive(SEGMENT % number, b"x" * MIB) for number in range(1, 4)]
    assert [each.returncode for each in ended] == [0, 0, 0]
    assert names(world) == [SEGMENT % 1, "gap", "on"]
    assert (world / "spool/gap").read_text() == f"{SEGMENT % 2}\n"
    assert "dropped, the spool is at its cap" in ended[2].stdout


def test_what_a_switch_left_empty_takes_no_room(world: Path, archive: Archive) -> None:
    (world / "spool/on").write_text(f"{64 * MIB}\n")
    archive(SEGMENT % 1, b"x" * 8192 + bytes(16 * MIB - 8192))
    assert (world / "spool" / (SEGMENT % 1)).stat().st_blocks * 512 < MIB


def test_a_copy_that_was_cut_off_is_no_segment(world: Path, archive: Archive) -> None:
    (world / "spool/on").write_text(f"{MIB}\n")
    (world / "spool" / f".{SEGMENT % 1}").write_bytes(b"ha")
    archive(SEGMENT % 1, b"whole")
    assert names(world) == [SEGMENT % 1, "on"]
    assert (world / "spool" / (SEGMENT % 1)).read_bytes() == b"whole"


def program(world: Path, name: str, **values: object) -> Path:
    """A program of the page, on folders of the test's own."""
    file = world / "programs" / name
    values = {"page": "PLAT_99", "programs": world / "programs", "state": world / "state", **values}
    file.write_text(render(f"backup/{name}", **values).replace("work=/tmp ", f"work={world / 'work'} "))
    file.chmod(0o755)
    return file


def say(world: Path, shell: str, *pairs: str | bytes) -> dict[str, object]:
    subprocess.run([shell, program(world, "state"), "x", *pairs], check=True, timeout=30)
    said: dict[str, object] = json.loads((world / "state/x.json").read_text())
    return said


def test_a_state_is_json_whatever_was_said(world: Path, shell: str) -> None:
    words = 'a "quoted" \\ back\nslash, a tab\tand a ü'
    said = say(world, shell, "ok=true", f"reason={words}", "bytes=12", "zero=0", f"last={SEGMENT % 5}", "none=")
    assert said.pop("at")
    assert said == {
        "ok": True,
        "reason": words.replace("\n", " ").replace("\t", " "),
        "bytes": 12,
        "zero": 0,
        "last": SEGMENT % 5,
        "none": "",
    }
    assert names(world, "state") == ["x.json"]


def test_a_state_is_utf8_whatever_a_program_printed(world: Path, shell: str) -> None:
    """A passphrase that is not the right one makes pgBackRest quote garbage; `cut` splits the last letter."""
    said = say(world, shell, b"reason=\xf6found: \xe5@ \xc3\xbc \xff\xc3")
    assert said["reason"] == "found: @ \xfc "


@pytest.fixture
def shipper(world: Path, shell: str) -> Iterator[subprocess.Popen[bytes]]:
    program(world, "state")
    (world / "programs/pgbackrest").write_text(STORE)
    (world / "programs/pgbackrest").chmod(0o755)
    values = {"spool": world / "spool", "spool_cap_bytes": 4 * MIB, "ship_seconds": 0.1}
    file = program(world, "wal-ship", pgbackrest=world / "programs/pgbackrest", **values)
    environ = {**os.environ, "WORLD": str(world)}
    ship = subprocess.Popen([shell, file], env=environ, start_new_session=True, stdout=subprocess.DEVNULL)
    yield ship
    os.killpg(ship.pid, signal.SIGKILL)
    ship.wait(10)


def until(true: Callable[[], object]) -> bool:
    end = time.monotonic() + 30
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def shipped(world: Path) -> dict[str, object]:
    try:
        said: dict[str, object] = json.loads((world / "state/ship.json").read_text())
    except FileNotFoundError:
        return {}
    return said


@pytest.mark.usefixtures("shipper")
def test_what_lies_in_the_spool_goes_to_the_store_and_leaves_it(world: Path) -> None:
    for number in (1, 2):
        (world / "spool" / (SEGMENT % number)).write_bytes(b"wal")
    (world / "spool" / f".{SEGMENT % 3}").write_bytes(b"not whole yet")
    assert until(lambda: shipped(world).get("last_segment") == SEGMENT % 2)
    assert names(world, "store") == [SEGMENT % 1, SEGMENT % 2]
    assert names(world) == [f".{SEGMENT % 3}"]
    assert shipped(world)["ok"] is True


@pytest.mark.usefixtures("shipper")
def test_a_store_that_refuses_loses_nothing_and_its_words_are_told_until_it_takes_again(world: Path) -> None:
    (world / "away").touch()
    (world / "spool" / (SEGMENT % 1)).write_bytes(b"wal")
    assert until(lambda: shipped(world).get("ok") is False)
    assert shipped(world)["reason"] == "[039]: 403 (Forbidden) more of it"
    assert names(world) == [SEGMENT % 1]
    (world / "away").unlink()
    assert until(lambda: shipped(world)["ok"] is True)
    assert names(world) == []


def hours_ago(file: Path) -> None:
    os.utime(file, (1, 1))


@pytest.mark.usefixtures("shipper")
def test_a_postgresql_that_hands_over_no_wal_is_told_but_not_blamed_for_the_store(world: Path) -> None:
    assert until(lambda: shipped(world).get("ok") is True)
    (world / "away").touch()
    (world / "spool" / (SEGMENT % 1)).write_bytes(b"wal")
    assert until(lambda: "403" in str(shipped(world).get("reason")))
    hours_ago(world / "work/last")
    time.sleep(0.5)
    assert shipped(world)["reason"] == "[039]: 403 (Forbidden) more of it"
    (world / "away").unlink()
    assert until(lambda: shipped(world)["ok"] is True)
    hours_ago(world / "work/last")
    assert until(lambda: shipped(world)["reason"] == "PostgreSQL has handed over no WAL for five minutes")
    (world / "spool" / (SEGMENT % 2)).write_bytes(b"wal")
    assert until(lambda: shipped(world)["ok"] is True)


@pytest.mark.usefixtures("shipper")
def test_a_spool_that_fills_is_told_before_its_cap(world: Path) -> None:
    (world / "away").touch()
    (world / "spool" / (SEGMENT % 1)).write_bytes(b"x" * 2 * MIB)
    assert until(lambda: "the spool is more than half full" in str(shipped(world).get("reason")))


@pytest.mark.usefixtures("shipper")
@pytest.mark.parametrize("mark", ["gap", "closing"])
def test_a_gap_is_told_and_a_backup_is_wanted_once_everything_else_is_in_the_store(world: Path, mark: str) -> None:
    (world / "away").touch()
    (world / "spool" / (SEGMENT % 1)).write_bytes(b"wal")
    assert until(lambda: "403" in str(shipped(world).get("reason")))
    (world / "spool" / mark).write_text(f"{SEGMENT % 2}\n")
    assert until(lambda: f"WAL is lost from {SEGMENT % 2} on" in str(shipped(world).get("reason")))
    assert names(world) == [SEGMENT % 1, mark]
    (world / "away").unlink()
    assert until(lambda: names(world) == [mark, "wanted"])
    assert shipped(world)["ok"] is False


@pytest.mark.parametrize(("refused", "asked"), [(3, True), (1000, False)])
def test_a_backup_that_begins_at_boot_waits_for_postgresql_but_not_forever(
    world: Path, shell: str, refused: int, *, asked: bool
) -> None:
    tries = world / "tries"
    for name, text in {
        "psql": f"echo >>{tries}; [ $(wc -l <{tries}) -gt {refused} ]",
        "pgbackrest": f"touch {world}/asked; echo 'P00  ERROR: [082]: no store in this test'; exit 82",
        "sleep": "",
    }.items():
        (world / "programs" / name).write_text(f"#!/bin/sh\n{text}\n")
        (world / "programs" / name).chmod(0o755)
    program(world, "state")
    values = {"spool": world / "spool", "store": "store", "full_days": 7}
    file = program(
        world, "backup", psql=world / "programs/psql", pgbackrest=world / "programs/pgbackrest", **values
    )
    file.write_text(file.read_text().replace("said=/tmp/", f"said={world}/"))
    environ = {**os.environ, "PATH": f"{world}/programs:{os.environ['PATH']}"}
    done = subprocess.run([shell, file], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert (world / "asked").exists() == asked
    reason = json.loads((world / "state/backup.json").read_text())["reason"]
    assert reason == ("pgBackRest: [082]: no store in this test " if asked else "PostgreSQL does not answer")
    assert len(tries.read_text().splitlines()) == (refused + 1 if asked else 120)
