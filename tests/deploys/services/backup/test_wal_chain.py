"""Which WAL a recovery asks for: all along the newest timeline, in order, or the first segment that is missing."""

import subprocess
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path

import pytest

from deploys.kit.operations.hostfiles import render

Chain = Callable[..., tuple[int, list[str]]]


def segment(number: int, timeline: int = 1) -> str:
    """Segments of 16 MiB are counted through logs of 256."""
    return f"{timeline:08X}{number // 256:08X}{number % 256:08X}"


def summed(name: str) -> str:
    return sha1(name.encode(), usedforsecurity=False).hexdigest()


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    """How the program ends and what it prints, for names of segments in the store and histories beside them."""
    (tmp_path / "wal-chain").write_text(render("backup/wal-chain", page="PLAT_99"), encoding="utf-8")

    def run(first: str, last: str, *stored: str, **histories: str) -> tuple[int, list[str]]:
        for name, text in histories.items():
            (tmp_path / f"{name.removeprefix('_')}.history").write_text(text, encoding="ascii")
        listed = "".join(f"{name[:16]}/{name}-{summed(name)}.zst\n" for name in stored)
        listed += f"{first[:16]}\n{first[:16]}/{first}.00000028.backup\n00000002.history\n"
        words = ["perl", str(tmp_path / "wal-chain"), first, last, str(tmp_path)]
        done = subprocess.run(words, input=listed, capture_output=True, text=True, timeout=10, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    return run


def lines(*names: str) -> list[str]:
    return [f"{name} {summed(name)}" for name in names]


def test_all_from_the_first_on_is_asked_for_in_order_across_logs_and_nothing_before_it(chain: Chain) -> None:
    names = [segment(number) for number in range(254, 259)]
    assert chain(names[1], names[1], *reversed(names)) == (0, lines(*names[1:]))


def test_a_missing_one_is_named_and_nothing_behind_it_is_asked_for(chain: Chain) -> None:
    names = [segment(number) for number in range(3, 9)]
    there = [name for name in names if name != segment(6)]
    wanted = [*lines(*names[:3]), f"WAL segment {segment(6)} is missing from the store"]
    assert chain(names[0], names[0], *there) == (1, wanted)


def test_what_the_backup_itself_needs_is_missed_although_nothing_follows(chain: Chain) -> None:
    assert chain(segment(3), segment(4), segment(3)) == (
        1,
        [*lines(segment(3)), f"WAL segment {segment(4)} is missing from the store"],
    )


def test_an_empty_store_lacks_the_first(chain: Chain) -> None:
    assert chain(segment(3), segment(3)) == (1, [f"WAL segment {segment(3)} is missing from the store"])


def test_after_a_restore_the_new_timeline_is_followed_and_the_rest_of_the_old_one_left(chain: Chain) -> None:
    old = [segment(number) for number in range(3, 12)]
    new = [segment(number, 2) for number in range(6, 9)]
    ended = chain(old[0], old[0], *old, *new, _00000002="1\t0/6000148\tno recovery target specified\n")
    assert ended == (0, lines(*old[:3], *new))


def test_a_gap_in_the_new_timeline_is_none_that_the_old_one_fills(chain: Chain) -> None:
    old = [segment(number) for number in range(3, 12)]
    new = [segment(6, 2), segment(8, 2)]
    code, told = chain(old[0], old[0], *old, *new, _00000002="1\t0/6000148\tbefore 2026\n")
    assert (code, told[-1]) == (1, f"WAL segment {segment(7, 2)} is missing from the store")


def test_a_timeline_without_a_segment_of_its_own_ends_with_the_one_in_which_it_began(chain: Chain) -> None:
    old = [segment(number) for number in range(3, 9)]
    ended = chain(old[0], old[0], *old, _00000002="1\t0/6000148\tbefore 2026\n")
    assert ended == (0, lines(*old[:4]))


def test_the_newest_of_several_histories_leads(chain: Chain) -> None:
    third = "1\t0/5000000\tone\n\n2\t0/7000000\ttwo\n"
    stored = [segment(4), segment(5), segment(5, 2), segment(6, 2), segment(7, 2), segment(7, 3)]
    ended = chain(segment(4), segment(4), *stored, _00000002="1\t0/5000000\tone\n", _00000003=third)
    assert ended == (0, lines(segment(4), segment(5, 2), segment(6, 2), segment(7, 3)))


def test_a_backup_of_a_later_timeline_needs_no_history_that_was_never_archived(chain: Chain) -> None:
    names = [segment(9, 3), segment(10, 3)]
    assert chain(names[0], names[0], *names) == (0, lines(*names))
    older = "1\t0/6000148\tno recovery target specified\n"
    assert chain(names[0], names[0], *names, segment(11, 2), _00000002=older) == (0, lines(*names))
    # Whoever begins on the newest timeline has nothing before it.
    assert chain(names[0], names[0], *names, _00000003="2\t0/A000000\tno recovery target\n") == (0, lines(*names))
