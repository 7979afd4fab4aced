"""The page of the state of hosts: nothing of it is code, nothing comes from elsewhere, and no person is named."""

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from deploys.inspect import status_page
from deploys.inspect.host_status import Line, Status
from deploys.inspect.status_page import Seen
from deploys.kit.errors import Refused
from deploys.services.alerts.samples import Day
from tests.deploys.inspect.hosts import AWAY, DAY, ILL, NOW, WELL

EVIL = """<script>alert(1)</script>"'&{{ 7 * 7 }}<img src=x onerror=alert(1)>"""


class Elements(HTMLParser):
    """Every element with its attributes, and what is open at the end."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in {"meta", "link"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(*seen: Seen) -> str:
    return status_page.render("inventories/prod.py", seen, NOW)


def text(of: str) -> str:
    """What a person reads, with single blanks."""
    body = re.sub(r"<style>.*?</style>", "", of, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", body)))


def test_a_host_that_is_well_is_said_to_be_with_its_day() -> None:
    read = text(page(Seen(WELL, DAY)))
    for words in (
        "All is well",
        "Friday, 27 November 2026, 18:40 UTC",
        "web-01 well",
        "last drill: 41 s",
        "Ready for leads yes 20 of 20 times",
        "Fullest disk 41 %",
        "1 of 1 are green and unchanged",
    ):
        assert words in read


def test_everything_that_is_wrong_is_said_and_counted() -> None:
    read = text(page(Seen(ILL, DAY), Seen(WELL, DAY)))
    for words in (
        "3 things are wrong",
        "web-02 3 wrong",
        "web-01 well",
        "the API is another release deploys/leadgen_02.py",
        "motorcade-redis.service failed (result x; y) run sudo systemctl status motorcade-redis.service",
        "leadgen: 1 wrong",
        "/etc/x has changed since it last passed",
    ):
        assert words in read


def test_a_page_that_is_red_is_not_folded_away() -> None:
    def folded(of: str) -> list[bool]:
        return ["open" not in attributes for tag, attributes in Elements(of).found if tag == "details"]

    assert folded(page(Seen(WELL, DAY), Seen(ILL, DAY))) == [True, False]


def test_a_host_that_was_not_reached_is_wrong_and_not_empty() -> None:
    read = text(page(Seen(AWAY, None), Seen(WELL, DAY)))
    for words in (
        "One thing is wrong",
        "web-03 not reached",
        "does not answer",
        "Nothing else is known",
        "web-01 well",
    ):
        assert words in read


@pytest.mark.parametrize("day", [None, Day(NOW, [])])
def test_a_host_without_samples_says_so(day: Day | None) -> None:
    shown = page(Seen(WELL, day))
    assert "has measured nothing yet" in text(shown)
    assert "<svg" not in shown


def test_whoever_deploys_is_not_named() -> None:
    held = "web-01: locked by ann@laptop since 2026-11-27T18:30:00Z (PLAT_01, run-1, process 7); wait for it"
    shown = page(Seen(replace(WELL, lock=held), DAY))
    assert "ann" not in text(shown).replace("annotation", "")
    assert "a deploy holds the lock of this host" in text(shown)


def evil() -> Status:
    """Everything that a host says is code."""
    return Status(
        EVIL,
        f"{EVIL}: {EVIL}; {EVIL}",
        f"{EVIL}: {EVIL}; {EVIL}",
        EVIL,
        f"{EVIL}: {EVIL}",
        {EVIL: [f"{EVIL}: {EVIL}; {EVIL}"]},
        [EVIL],
        [f"{EVIL}; {EVIL}"],
        [Line(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, [EVIL])],
    )


@pytest.mark.parametrize("status", [evil(), replace(evil(), unseen="")], ids=["unseen", "seen"])
def test_what_a_host_says_is_text_and_never_code(status: Status) -> None:
    shown = status_page.render(EVIL, [Seen(status, DAY)], NOW)
    elements = Elements(shown)
    assert {tag for tag, _ in elements.found} & {"script", "img", "iframe", "object"} == set()
    assert [name for _, attributes in elements.found for name in attributes if name.startswith("on")] == []
    assert text(shown).count("<script>alert(1)</script>\"'&{{ 7 * 7 }}<img src=x onerror=alert(1)>") > 3
    assert elements.open == []


def test_the_page_needs_nothing_from_elsewhere_and_forbids_it() -> None:
    shown = page(Seen(WELL, DAY), Seen(ILL, DAY))
    elements = Elements(shown)
    assert elements.open == []
    sources = [
        value
        for _, attributes in elements.found
        for name, value in attributes.items()
        if name in {"src", "href", "action", "srcset", "data", "style"}
    ]
    assert sources == ["data:,"]
    assert "url(" not in shown
    assert "@import" not in shown
    (policy,) = (
        each["content"] for tag, each in elements.found if each.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_an_inventory_without_a_host_is_not_all_well_without_a_word() -> None:
    assert "The inventory has no host" in text(page())


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    old = tmp_path / "status.html"
    status_page.write(old, "old")
    assert [file.name for file in tmp_path.iterdir()] == ["status.html"]
    (tmp_path / ".status.html.new").mkdir()
    for path in (old, tmp_path / "nowhere/status.html"):
        with pytest.raises(Refused, match=r"status.html: cannot be written \(.*\); name another file"):
            status_page.write(path, "new")
    assert old.read_text() == "old"
