"""What of the long campaigns on lab hosts a commit runs: over some commits nothing is left out."""

from collections import Counter

import pytest

from tests.lab import sample
from tests.lab.folders import HERE

COMMITS = len(sample.ROTA) * sample.QUARTERS
TESTS = sorted(
    f"{file.name}::{line.removeprefix('def ').partition('(')[0]}"
    for file in HERE.glob("test_*.py")
    for line in file.read_text().splitlines()
    if line.startswith("def test_")
)


@pytest.fixture(autouse=True)
def _rota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTA", "1")
    monkeypatch.delenv("EVERY", raising=False)


def test_each_test_meets_each_quarter_of_the_points_over_the_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    met: Counter[tuple[str, int]] = Counter()
    for number in range(COMMITS):
        monkeypatch.setattr(sample, "turn", lambda number=number: number)
        met.update((test, point) for test in TESTS if sample.is_due(test) for point in sample.points(4))
    assert set(met) == {(test, point) for test in TESTS for point in range(1, 5)}
    files = {test.partition("::")[0] for (test, _), times in met.items() if times > COMMITS / sample.QUARTERS / 2}
    assert files == {"test_host.py", "test_platform.py", "test_healing.py"}, "what runs at every commit"


def test_a_name_of_the_rota_has_tests() -> None:
    names = {name for group in sample.ROTA for name in group}
    assert {name for name in names if not any(test.startswith(name) for test in TESTS)} == set()


def test_with_every_set_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not all(sample.is_due(test) for test in TESTS)
    monkeypatch.setenv("EVERY", "1")
    assert all(sample.is_due(test) for test in TESTS)
