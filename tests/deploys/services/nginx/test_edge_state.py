"""The edge's certificate and configuration, in sentences that say what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from deploys.kit.errors import Refused
from deploys.kit.facts import Answer
from deploys.services.nginx import Edge, limits, nginx, security_txt
from deploys.services.nginx import state as edge_state
from tests.deploys.known_host import GREEN, RED, KnownHost, Page

EDGE = Edge("edge", "/edge.pem", "/edge.key", 1, 1, 50, 1, 1, None, None)
SETTINGS: Any = SimpleNamespace(expiry_days=14, of={Edge: EDGE}.get)


def told(
    end: Answer,
    runs: Answer = GREEN,
    there: Answer = GREEN,
    loaded: Answer = GREEN,
    security: Answer = GREEN,
) -> list[str]:
    probes = {
        limits.LOADED: loaded,
        security_txt.FILE: security,
        "openssl x509": end,
        "systemctl is-active": runs,
        nginx.DROP_IN: there,
    }
    host: Any = KnownHost(probes=probes)
    return edge_state.troubles(host, SETTINGS, None)


def ends_in(days: float) -> Answer:
    return Answer(0, [f"notAfter={datetime.now(UTC) + timedelta(days=days):%F %T}Z"])


def test_a_host_without_an_edge_and_one_that_is_well_have_nothing_to_tell() -> None:
    assert told(RED, there=RED) == []
    assert told(ends_in(15)) == []


@pytest.mark.parametrize(("days", "word"), [(13, "ends"), (-1, "ended")])
def test_a_certificate_that_is_over_or_will_be_soon_is_told(days: int, word: str) -> None:
    (sentence,) = told(ends_in(days))
    assert sentence.startswith(f"certificate of edge: {word} at 2")
    assert sentence.endswith("then sudo systemctl reload nginx")


@pytest.mark.parametrize(("days", "words"), [(15, []), (13, ["expires"]), (-1, ["expired"])])
def test_a_security_txt_that_has_expired_or_will_soon_is_reported(days: int, words: list[str]) -> None:
    end = datetime.now(UTC) + timedelta(days=days, minutes=1)
    found = told(ends_in(15), security=Answer(0, [f"{end:%FT%T}Z"]))
    assert found == [
        f"security.txt of edge: {word} at {end:%F %R} UTC; set edge_security_expires in group_data to a day within"
        " a year, then run deploys/plat_07a.py"
        for word in words
    ]


@pytest.mark.parametrize("answer", [RED, Answer(1, ["Could not open file"]), Answer(0, ["notAfter=soon"])])
def test_a_certificate_that_cannot_be_read_is_told(answer: Answer) -> None:
    (sentence,) = told(answer)
    assert sentence.startswith("certificate of edge: cannot be read; put a new one in /edge.pem")


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        (nginx.STALE, "sudo systemctl reload nginx"),
        ("systemd has loaded another unit", "sudo systemctl daemon-reload; sudo systemctl restart nginx"),
    ],
)
def test_an_nginx_that_runs_with_something_else_is_told(fault: str, end: str) -> None:
    assert told(ends_in(15), Answer(0, [fault])) == [
        f"nginx.service: does not run with the files on the host ({fault}); if no file was edited: {end}"
    ]


def test_limits_that_are_not_in_the_kernel_are_told() -> None:
    assert told(ends_in(15), loaded=Answer(1, ["the table is not there"])) == [
        f"{limits.UNIT}: the table is not there; sudo systemctl restart motorcade-nginx-limits"
    ]


def load(answer: Answer, *, locked: bool) -> list[str]:
    """What a page would run where the rules are so."""
    commands = KnownHost(probes={limits.LOADED: answer}).run(limits._loaded, page=Page(locked=locked))  # noqa: SLF001 - the operation
    return [command.get_raw_value() for command in commands]


def test_a_frozen_page_loads_limits_that_are_gone_and_leaves_others_to_the_owner() -> None:
    assert load(GREEN, locked=True) == []
    (command,) = load(Answer(1, ["the table is not there"]), locked=True)
    assert f"systemctl restart {limits.UNIT}" in command
    with pytest.raises(PermissionError, match=limits.CHANGED):
        load(Answer(1, [limits.CHANGED]), locked=True)
    assert load(Answer(1, [limits.CHANGED]), locked=False) == [command]


def test_connections_must_be_more_than_the_requests_that_may_wait() -> None:
    limits.check(replace(EDGE, edge_requests_per_second=10, edge_connections=401))
    with pytest.raises(Refused, match="edge_connections is 400, and 400 requests of one address"):
        limits.check(replace(EDGE, edge_requests_per_second=10, edge_connections=400))
    limits.check(replace(EDGE, edge_requests_per_second=5000, edge_connections=2001))
