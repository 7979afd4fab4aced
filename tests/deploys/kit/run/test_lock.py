"""The lock: one holder, whoever comes second changes nothing, and only its own run releases it."""

import subprocess
from pathlib import Path

import pytest

from deploys.kit.run import lock

ANA = lock.Holder("run-20261121-103000-3f2a", "ana", "desk", "2026-11-21T10:30:00+00:00", ("PLAT_02B",), 7)
BEN = lock.Holder("run-20261121-103001-77b0", "ben", "train", "2026-11-21T10:30:01+00:00", ("PLAT_03",), 8)
COY = lock.Holder("run-20261121-103002-0c0c", "coy", "sofa", "2026-11-21T10:30:02+00:00", ("PLAT_01",), 9)


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "state of a host")


def shell(command: str) -> list[str]:
    return subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout.splitlines()


def take(directory: str, holder: lock.Holder, acknowledged: str | None = None) -> lock.Attempt:
    return lock.read_attempt(shell(lock.take_command(directory, holder, acknowledged)))


def test_the_first_takes_it_and_the_second_learns_who_holds_it(directory: str) -> None:
    assert take(directory, ANA) == lock.Attempt(taken=True, broke=False, holder=None)
    assert take(directory, BEN) == lock.Attempt(taken=False, broke=False, holder=ANA)
    assert [path.name for path in Path(directory).iterdir()] == ["lock"]


def test_only_root_reads_what_the_kit_keeps_on_a_host(directory: str) -> None:
    take(directory, ANA)
    assert Path(directory).stat().st_mode & 0o777 == 0o700


def test_of_many_at_once_exactly_one_takes_it(directory: str) -> None:
    holders = [lock.Holder(f"run-20261121-103000-{number:04x}", "x", "y", "z", (), 1) for number in range(16)]
    commands = [["sh", "-c", lock.take_command(directory, holder)] for holder in holders]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    assert [process.communicate()[0] for process in started].count("taken\n") == 1
    assert len(list(Path(directory, "lock").iterdir())) == 1


def test_it_is_released_by_the_run_that_holds_it_and_by_no_other(directory: str) -> None:
    take(directory, ANA)
    shell(lock.release_command(directory, BEN.run))
    assert not take(directory, BEN).taken
    shell(lock.release_command(directory, ANA.run))
    assert take(directory, BEN).taken


def test_releasing_twice_leaves_the_next_holder_alone(directory: str) -> None:
    take(directory, ANA)
    shell(lock.release_command(directory, ANA.run))
    take(directory, BEN)
    shell(lock.release_command(directory, ANA.run))
    assert take(directory, COY).holder == BEN


def test_an_acknowledged_lock_is_broken_and_taken(directory: str) -> None:
    take(directory, ANA)
    assert take(directory, BEN, ANA.run) == lock.Attempt(taken=True, broke=True, holder=None)
    assert take(directory, COY).holder == BEN


def test_of_two_who_break_the_same_lock_only_the_first_takes_it(directory: str) -> None:
    take(directory, ANA)
    take(directory, BEN, ANA.run)
    assert take(directory, COY, ANA.run) == lock.Attempt(taken=False, broke=False, holder=BEN)


def test_another_run_s_lock_is_not_broken(directory: str) -> None:
    take(directory, ANA)
    assert take(directory, BEN, COY.run) == lock.Attempt(taken=False, broke=False, holder=ANA)


def test_a_lock_that_somebody_left_empty_is_taken(directory: str) -> None:
    Path(directory, "lock").mkdir(parents=True)
    assert take(directory, ANA).taken


def test_a_refusal_names_the_holder_and_the_way_out() -> None:
    assert str(lock.refusal("web-01", ANA)) == (
        "web-01: locked by ana@desk since 2026-11-21T10:30:00+00:00"
        " (PLAT_02B, run-20261121-103000-3f2a, process 7);"
        " wait for it to finish or, if it is dead, run again with --data acknowledge=run-20261121-103000-3f2a"
    )
    assert "run again" in str(lock.refusal("web-01", None))


@pytest.mark.parametrize("text", ["run-1", "../steps", f"{ANA.run}/..", f"{ANA.run}\n", ""])
def test_what_is_no_run_id_never_becomes_a_path(text: str) -> None:
    assert lock.RUN_ID.fullmatch(ANA.run)
    assert not lock.RUN_ID.fullmatch(text)
