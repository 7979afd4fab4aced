"""A clock is told that is off this machine's, or that nothing keeps right, and a host that does not say is not."""

import time
from typing import Any

import pytest

from deploys.inspect import clock
from deploys.kit.errors import Refused
from deploys.kit.facts import Answer
from tests.deploys.known_host import RED, KnownHost


def look(*lines: str) -> list[str]:
    host: Any = KnownHost(probes={"date": Answer(0, list(lines))})
    return [finding.what for finding in clock.look(host)]


@pytest.mark.parametrize("lines", [(), ("yes",), ("",)])
def test_a_clock_that_agrees_and_is_kept_right_is_no_difference(lines: tuple[str, ...]) -> None:
    assert look(f"{time.time():.9f}", *lines) == []


def test_a_clock_that_nothing_keeps_right_is_told() -> None:
    assert look(f"{time.time():.9f}", "no") == ["nothing synchronises the clock"]


@pytest.mark.parametrize(
    ("there", "off"), [(97.9, 2), (60.0, 40), (103.2, 2), (201.0, 100), (98.1, 0), (102.9, 0)]
)
def test_a_clock_is_off_by_what_the_way_there_and_back_cannot_explain(there: float, off: int) -> None:
    found = clock.judge(100.0, there, 101.0, [])
    assert [finding.what for finding in found] == ([f"is {off} seconds off this machine's clock"] if off else [])


def test_a_host_that_does_not_tell_the_time_is_not_called_right() -> None:
    host: Any = KnownHost(probes={"date": RED})
    host.name = "host"
    with pytest.raises(Refused, match="host: does not report its time"):
        clock.look(host)
