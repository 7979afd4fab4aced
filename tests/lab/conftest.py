"""Hosts for the tests of this folder, which skip where no lab can be."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from operator import itemgetter
from typing import Any

import pytest

from tests.lab import templates
from tests.lab.folders import HERE
from tests.lab.host import Host, claim
from tests.lab.requirements import missing
from tests.runbooks.desk import Desk

TIMES: dict[str, float] = {}
# The longest first, so that the processes end together; the first three make different templates at the same time.
FIRST = (
    *("test_restore.py", "test_interrupted.py", "test_redis.py", "test_releases.py", "test_patch_day.py"),
    *(
        "test_bad_releases.py",
        "test_new_service.py",
        "test_runbooks_changes.py",
        "test_drift.py",
        "test_changes.py",
    ),
    *("test_personal_data.py", "test_runbooks.py", "test_alerts.py", "test_edge_changes.py", "test_healing.py"),
    *("test_killed_rolls.py", "test_backup.py", "test_platform.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only this folder's, as `make test` runs each folder by itself."""
    if all(HERE in item.path.parents for item in items):
        items.sort(key=lambda item: (*FIRST, item.path.name).index(item.path.name))


@pytest.fixture(scope="session", autouse=True)
def _possible() -> None:
    if reason := missing():
        pytest.skip(f"no lab here: {reason}")


@pytest.fixture(scope="session")
def times() -> dict[str, float]:
    """What took how many seconds; shown when all tests have ended."""
    return TIMES


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of several hands its times to the one that shows them."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["times"] = TIMES


def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - xdist ships no type for it
    TIMES.update(getattr(node, "workeroutput", {}).get("times", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TIMES:
        terminalreporter.section("times on the lab host")
    for title, seconds in TIMES.items():
        terminalreporter.write_line(f"{seconds:7.1f} s  {title}")
    terminalreporter.section("times of files, with the hosts that they wait for")
    for file, seconds in sorted(seconds_by_file(terminalreporter).items(), key=itemgetter(1), reverse=True):
        terminalreporter.write_line(f"{seconds:7.1f} s  {file}")


def seconds_by_file(terminalreporter: pytest.TerminalReporter) -> dict[str, float]:
    seconds: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    return seconds


@pytest.fixture(scope="module")
def lab(times: dict[str, float]) -> Iterator[Callable[..., Host]]:
    """Make a host that nobody else uses, bare or a copy of a template; all of them are gone after the module."""
    with ExitStack() as ends:

        def make(template: str = "bare") -> Host:
            host = claim()
            ends.callback(host.down)
            times.update(templates.up(host, template))
            return host

        yield make


@pytest.fixture(scope="module")
def platform(lab: Callable[..., Host]) -> Host:
    """A host with the whole platform on it; each test leaves it as it found it."""
    return lab("platform")


@pytest.fixture(scope="module")
def desk(platform: Host, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Where commands of pages run for that host."""
    return Desk.make(platform, tmp_path_factory.mktemp("desk"))
