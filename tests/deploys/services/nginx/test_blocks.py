"""Blocking an address: what can be blocked, for how long, and what never is."""

import pytest

from deploys.kit.errors import Refused
from deploys.services.nginx import blocks


@pytest.mark.parametrize(
    ("text", "blocked"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:cb00:7107", "203.0.113.7/32"),
        ("203.0.113.7/32", "203.0.113.7/32"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
    ],
)
def test_an_address_is_blocked_and_of_ipv6_the_network_of_one_caller(text: str, blocked: str) -> None:
    assert str(blocks.network(text)) == blocked


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "::1",
        "::",
        "255.255.255.255",
        "224.0.0.1",
        "169.254.1.1",
        "fe80::1",
        "::ffff:7f00:1",
    ],
)
def test_what_no_caller_can_have_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not the address of a caller"):
        blocks.network(text)


@pytest.mark.parametrize("text", ["x", "203.0.113.7; rm -rf /", "203.0.113.7/33", "203.0", "1", ""])
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not an IP address"):
        blocks.network(text)


@pytest.mark.parametrize("text", ["203.0.113.0/24", "203.0.113.7/31", "2001:db8:1::/48", "0.0.0.0/0", "::/0"])
def test_a_network_of_many_callers_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is a network of many callers"):
        blocks.network(text)


def test_our_own_address_is_refused_and_another_one_is_not() -> None:
    own = {"10.0.0.1": "an address of web-01", "2001:db8::5": "the one that you come from"}
    blocks.refuse_own(blocks.network("10.0.0.2"), own)
    for text, whose in (("10.0.0.1", "an address of web-01"), ("2001:db8::99", "the one that you come from")):
        with pytest.raises(Refused, match=f"is {whose}"):
            blocks.refuse_own(blocks.network(text), own)


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("1h", 3600), ("2d", 172_800), ("30d", 2_592_000)])
def test_a_time_is_a_number_and_its_unit(text: str, seconds: int) -> None:
    assert blocks.duration(text) == seconds


@pytest.mark.parametrize("text", ["0m", "1", "h", "-1h", "31d", "1h30m", "99999d"])
def test_any_other_time_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not a time"):
        blocks.duration(text)


def test_the_list_is_read_by_people() -> None:
    lines = ["203.0.113.7 1795773600 ann@laptop it floods us", "2001:db8:1:2:: 1795773600 ann@laptop so does it"]
    assert list(blocks.sentences(lines)) == [
        "203.0.113.7 until 2026-11-27 10:00 UTC, by ann@laptop: it floods us",
        "2001:db8:1:2::/64 until 2026-11-27 10:00 UTC, by ann@laptop: so does it",
    ]
