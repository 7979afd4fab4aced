"""What status shows of the alerts: the list of the host's own check, without what status finds by itself."""

from typing import Any

import pytest

from deploys.kit.facts import Answer
from deploys.services.alerts import alerts
from deploys.services.alerts import state as alerts_state
from tests.deploys.known_host import KnownHost

SINCE = "2026-11-27T01:02:03Z"


def on(*lines: str, status: int = 0) -> Any:  # noqa: ANN401 - a host of which everything is known
    host = KnownHost(probes={alerts.CHECK: Answer(status, list(lines))})
    host.name = "host"
    return host


def test_a_host_without_alerts_and_one_that_is_well_have_nothing_to_tell() -> None:
    assert (alerts_state.troubles(on(), None, None), alerts_state.news(on())) == ([], "")


def test_an_alarm_is_a_trouble_and_a_notice_is_news() -> None:
    host = on(f"disk-bytes:/\talarm\t{SINCE}\t91 % of it", f"updates\tnotice\t{SINCE}\t2 updates")
    assert alerts_state.troubles(host, None, None) == [
        f"host: 91 % of it (since {SINCE}); docs/runbooks/alerts.md, disk-bytes"
    ]
    assert alerts_state.news(host) == "2 updates"


@pytest.mark.parametrize("id_", alerts_state.KNOWN)
def test_what_status_finds_by_itself_is_not_there_twice(id_: str) -> None:
    assert alerts_state.troubles(on(f"{id_}:x\talarm\t{SINCE}\tit"), None, None) == []


@pytest.mark.parametrize(
    ("lines", "status", "words"),
    [
        (("sh: 1: date: not found",), 0, "the check says 'sh: 1: date: not found'"),
        ((f"x\tother\t{SINCE}\ty",), 0, "the check says"),
        ((), 124, "the check ends with 124"),
    ],
)
def test_a_check_that_does_not_work_is_a_trouble(lines: tuple[str, ...], status: int, words: str) -> None:
    (sentence,) = alerts_state.troubles(on(*lines, status=status), None, None)
    assert words in sentence
