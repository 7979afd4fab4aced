"""The metrics directory of `leadgen serve`: the same at each start, emptied of our files, owned by our user."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from leadgen.cli.serve import fresh_metrics_dir
from leadgen.config import Config
from leadgen.errors import LeadgenError


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def config(**settings: str) -> Config:
    return Config.from_environ({f"LEADGEN_{name.upper()}": text for name, text in settings.items()})


def test_every_start_takes_the_same_place_without_what_the_one_before_left(temporary: Path) -> None:
    place = fresh_metrics_dir(config())
    (place / "histogram_12.db").touch()
    assert fresh_metrics_dir(config()) == place
    assert list(temporary.iterdir()) == [place]
    assert list(place.iterdir()) == []
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_two_services_of_one_user_do_not_take_each_others_metrics() -> None:
    assert fresh_metrics_dir(config(bind="127.0.0.1:1")) != fresh_metrics_dir(config(bind="127.0.0.1:2"))


def test_a_directory_of_another_user_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    another_user = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: another_user)
    with pytest.raises(LeadgenError, match=r"^metrics directory of this user: it cannot be written"):
        fresh_metrics_dir(config())


def test_a_named_directory_is_made_with_its_parents(temporary: Path) -> None:
    place = temporary / "run" / "leadgen" / "metrics"
    assert fresh_metrics_dir(config(metrics_dir=str(place))) == place
    assert place.is_dir()
