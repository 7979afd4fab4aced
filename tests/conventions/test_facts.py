"""A fact that several files hold has one home; where a format forces a repeat, it has to agree with the home."""

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest

from deploys.kit.plan.pin import UNPINNED
from deploys.kit.strict_yaml import read
from deploys.services.leadgen import ADDRESS, leadgen
from deploys.services.postgres import MAJOR, database


class Fact(NamedTuple):
    """`spelling` finds it in deploys/, where only its homes may hold it; `repeats`: path -> how it is written."""

    value: str
    spelling: str
    homes: set[str]
    repeats: dict[str, str]


def user_of(image: str, value: str, home: str, **docs: str) -> Fact:
    """The user's number: of the image, of its files on the host, of its secrets."""
    repeats = {f"containers/{image}/Containerfile": r"(?:--[ug]id |USER \d+:|USER )(\d+)", **docs}
    return Fact(value, rf"\b{value}\b", {home}, repeats)


FACTS = {
    "where the API listens": Fact(
        ADDRESS,
        re.escape(ADDRESS),
        set(),
        {
            "docs/RESOURCES.md": r"`motorcade-leadgen-api\.socket` \| where the intake listens, ([\d.:]+);",
            "docs/services/leadgen-api.md": r"(?:http://|on |^)(127\.0\.0\.1:\d+)",
            "docs/services/nginx.md": r"(127\.0\.0\.1:\d+)(?:/lead| as )",
        },
    ),
    "the user of the intake's image": user_of(
        "leadgen",
        leadgen.USER,
        "deploys/services/leadgen/leadgen.py",
        **{"docs/services/leadgen-api.md": r"\buser (\d+)"},
    ),
    "the user of PostgreSQL's image": user_of(
        "postgres",
        str(database.USER),
        "deploys/services/postgres/database.py",
        **{
            # Sent as it is, and not rendered.
            "deploys/services/postgres/templates/backup-database.sh": r"chown (\d+):",
            "docs/services/backup.md": r"\bnumber (\d+)",
            "docs/services/postgres.md": r"(?:number|user|chown -R) (\d{5})",
        },
    ),
    "the user of Redis's image": user_of("redis", "10002", "deploys/plat_08b.py"),
    "PostgreSQL's major version": Fact(
        str(MAJOR),
        rf"postgresql(?:-client)?[-/]{MAJOR}|/{MAJOR}\b",
        set(),
        {
            "containers/postgres/Containerfile": r"(?:PostgreSQL |postgresql(?:-client)?[-/])(\d+)",
            "containers/postgres/postgres-start": r"/postgresql/(\d+)",
            "docs/services/postgres.md": r"(?:PostgreSQL |postgres/)(\d+)",
        },
    ),
}


def strays(fact: Fact, sources: dict[str, str]) -> list[str]:
    """Files of deploys/ that hold the fact themselves."""
    known = fact.homes | fact.repeats.keys()
    return [path for path, text in sources.items() if path not in known and re.search(fact.spelling, text)]


def disagreements(fact: Fact, texts: dict[str, str]) -> list[str]:
    """What the files that must repeat it say instead; one that does not hold it at all is a fault too."""
    found = {path: re.findall(how, texts[path], re.MULTILINE) for path, how in fact.repeats.items()}
    return [f"{path} does not hold it" for path, values in found.items() if not values] + [
        f"{path} says {value}" for path, values in found.items() for value in values if value != fact.value
    ]


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_is_in_its_home_only(name: str, texts: Callable[[str], dict[str, str]]) -> None:
    assert strays(FACTS[name], texts("deploys/*")) == []


@pytest.mark.parametrize("name", FACTS)
def test_files_that_must_repeat_a_fact_agree_with_its_home(
    name: str, texts: Callable[[str], dict[str, str]]
) -> None:
    assert disagreements(FACTS[name], texts("*")) == []


def test_every_environment_pins_the_major_version_that_the_image_is_made_for(
    texts: Callable[[str], dict[str, str]],
) -> None:
    pins = {path: read(text)[0]["postgres"]["version"] for path, text in texts("releases/*.yaml").items()}
    assert len(pins) >= 3
    wanted = {str(MAJOR), UNPINNED}
    assert {path: pin for path, pin in pins.items() if pin.partition(".")[0] not in wanted} == {}


FACT = Fact("10003", r"\b10003\b", {"deploys/services/leadgen/leadgen.py"}, {"Containerfile": r"USER (\d+)"})


def test_a_second_home_is_found() -> None:
    assert strays(
        FACT,
        {"deploys/services/leadgen/leadgen.py": "10003", "deploys/a.sh": "uid=10003,", "deploys/b": "1.10003"},
    ) == [
        "deploys/a.sh",
        "deploys/b",
    ]
    assert strays(FACT, {"deploys/a.sh": "uid={{ user }} 100031"}) == []


def test_a_repeat_that_disagrees_or_is_gone_is_found() -> None:
    assert disagreements(FACT, {"Containerfile": "USER 10003\n"}) == []
    assert disagreements(FACT, {"Containerfile": "USER 10004\nUSER 10003\n"}) == ["Containerfile says 10004"]
    assert disagreements(FACT, {"Containerfile": "USER leadgen\n"}) == ["Containerfile does not hold it"]
