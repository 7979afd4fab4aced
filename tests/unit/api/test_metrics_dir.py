"""The metrics directory of `leadgen serve`: in memory, the same at each start, without what ended."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadgen.api import metrics_dir
from leadgen.api.metrics_dir import MEMORY, fresh_metrics_dir, in_memory
from leadgen.config import Config


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the test's own in memory, in place of the one of the whole machine."""
    with tempfile.TemporaryDirectory(prefix="leadgen-tests-", dir=MEMORY) as folder:
        monkeypatch.setattr(metrics_dir, "MEMORY", Path(folder))
        yield Path(folder)


def config(**settings: str) -> Config:
    return Config.from_environ({f"LEADGEN_{name.upper()}": text for name, text in settings.items()})


def test_every_start_takes_the_same_place_without_what_ended_processes_left(memory: Path) -> None:
    place = fresh_metrics_dir(config())
    assert place
    ended, running = place / "histogram_9999999.db", place / f"counter_{os.getpid()}.db"
    for file in (ended, running):
        file.touch()
    assert fresh_metrics_dir(config()) == place
    assert list(memory.iterdir()) == [place]
    assert list(place.iterdir()) == [running]
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_two_services_of_one_user_do_not_take_each_others_metrics() -> None:
    assert fresh_metrics_dir(config(bind="127.0.0.1:1")) != fresh_metrics_dir(config(bind="127.0.0.1:2"))


def test_a_directory_of_another_user_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    place = fresh_metrics_dir(config())
    another_user = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: another_user)
    monkeypatch.setattr(metrics_dir, "own_place", lambda _: place)
    assert fresh_metrics_dir(config()) is None


def test_a_named_directory_in_memory_is_made_with_its_parents(memory: Path) -> None:
    place = memory / "run" / "leadgen" / "metrics"
    assert fresh_metrics_dir(config(metrics_dir=str(place))) == place
    assert place.is_dir()


def test_a_directory_on_a_disk_is_not_used(tmp_path: Path, memory: Path) -> None:
    """When the disk is full, writing to a mapped file kills the process."""
    assert not in_memory(tmp_path)
    place = fresh_metrics_dir(config(metrics_dir=str(tmp_path / "metrics")))
    assert place
    assert place.parent == memory
    assert in_memory(place)
