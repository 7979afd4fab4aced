"""Bare hosts for the tests of this folder, which skip where no lab can be."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.deploying import deployed
from tests.lab.folders import HERE
from tests.lab.host import Host, claim
from tests.lab.load import post
from tests.lab.requirements import missing
from tests.lab.sample import is_due

TIMES: dict[str, float] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for its turn is shown as skipped."""
    for item in items:
        if HERE in item.path.parents and not is_due(f"{item.path.name}::{item.name}"):
            item.add_marker(pytest.mark.skip(reason="another commit's turn; EVERY=1 runs it"))


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


@pytest.fixture(scope="module")
def lab() -> Iterator[Callable[[], Host]]:
    """Make a bare host that nobody else uses; all of them are gone after the module."""
    with ExitStack() as ends:

        def make() -> Host:
            host = claim()
            ends.callback(host.down)
            host.up()
            return host

        yield make


@pytest.fixture(scope="session")
def platform(times: dict[str, float]) -> Iterator[Host]:
    """A host with the whole platform, deployed from bare in one command; each test leaves it as it found it."""
    began = time.monotonic()
    host = claim()
    try:
        host.up()
        host.store.start()
        deployed(host, "platform")
        assert post(host).status == 202
        times["from nothing to the first 202"] = time.monotonic() - began
        yield host
    finally:
        host.down()
