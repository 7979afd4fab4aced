"""The route for browsers as it is written: who may use it, what it adds, and what both routes share."""

import re

import pytest

from deploys.kit.operations.hostfiles import render
from deploys.services.leadgen import ADDRESS

EDGE = "edge.example"
VALUES = {
    "page": "PLAT_99",
    "edge_host": EDGE,
    "address": ADDRESS,
    "certificate": "/c",
    "key_file": "motorcade/site-key.conf",
    "maintenance": "/etc/motorcade/maintenance",
    "requests_per_second": 10,
    "requests_at_once": 400,
    "intake_seconds": 40,
    "requests_per_minute": 20,
    "burst": 10,
}
SHARED = ("proxy_", "limit_conn ")


def lines(name: str, start: str, **values: object) -> list[str]:
    """The directives of a block of a rendered file, without its comments."""
    text = render(f"nginx/{name}", **{**VALUES, **values})
    block = text.partition(f"{start} {{\n")[2].partition("\n}")[0]
    assert block, start
    return [line.strip() for line in block.split("\n") if line.strip() and not line.strip().startswith("#")]


def origin(header: str, edge: str = EDGE) -> bool:
    """Whether the map takes this Origin for the edge's own."""
    text = render("nginx/browser-limits.conf", **{**VALUES, "edge_host": edge})
    (pattern,) = re.findall(r'"~\*(\S+)" own;', text)
    return bool(re.search(pattern, header, re.IGNORECASE))


@pytest.mark.parametrize(
    ("header", "own"),
    [
        (f"https://{EDGE}", True),
        (f"http://{EDGE}", False),
        (f"https://{EDGE}.evil.example", False),
        (f"https://www.{EDGE}", False),
        ("https://edgeXexample", False),
        ("null", False),
    ],
)
def test_only_the_edges_own_name_is_its_origin(header: str, *, own: bool) -> None:
    assert origin(header) is own


def test_what_it_shares_with_the_other_route_is_the_same() -> None:
    ours, theirs = lines("browser.conf", "location = /api/lead-intake"), lines("lead.conf", "location /api/lead/")
    wanted = [line for line in theirs if line.startswith(SHARED) and not line.startswith("proxy_pass ")]
    assert len(wanted) > 10
    assert [line for line in wanted if line not in ours] == []


def test_a_caller_cannot_say_what_only_the_edge_may_say_of_the_connection() -> None:
    headers = {"Forwarded", *(f"X-Forwarded-{name}" for name in ("Host", "Port", "Prefix", "Protocol", "Ssl"))}
    theirs = lines("lead.conf", "location /api/lead/")
    assert {f'proxy_set_header {name} "";' for name in headers} <= set(theirs)


def test_it_replaces_what_only_the_edge_may_say_and_reads_the_key_from_its_file() -> None:
    ours = lines("browser.conf", "location = /api/lead-intake")
    assert {'proxy_set_header Authorization "";', f"proxy_set_header X-Lead-Source {EDGE};"} <= set(ours)
    assert "include motorcade/site-key.conf;" in ours
    assert render("nginx/site-key.conf", page="PLAT_99", key="mcl_key").endswith(
        "\nproxy_set_header X-API-Key mcl_key;\n"
    )


def test_no_answer_of_it_lets_another_site_read_it() -> None:
    assert "access-control" not in render("nginx/browser.conf", **VALUES).lower()


@pytest.mark.parametrize("place", ["@browser-method", "@browser-too-many-requests"])
def test_answers_with_a_header_of_their_own_have_those_of_all_answers_too(place: str) -> None:
    own = (" Allow ", " Retry-After ")

    def headers(block: list[str]) -> set[str]:
        return {line for line in block if line.startswith("add_header") and not any(word in line for word in own)}

    everywhere = {line.strip() for line in render("nginx/nginx.conf", **VALUES, key="/k").split("\n")}
    found = headers(lines("browser.conf", f"location {place}"))
    assert found == headers(list(everywhere))
    assert len(found) > 5


@pytest.mark.parametrize(("per_minute", "seconds"), [(1, 60), (20, 3), (45, 2), (600, 1)])
def test_one_who_waits_as_long_as_it_is_told_has_a_request_again(per_minute: int, seconds: int) -> None:
    block = lines("browser.conf", "location @browser-too-many-requests", requests_per_minute=per_minute)
    assert f"add_header Retry-After {seconds} always;" in block
