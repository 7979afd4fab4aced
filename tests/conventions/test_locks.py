"""What is installed is locked: by version, by hash, and with the extras that other packages ask for."""

import re
from collections.abc import Callable, Iterable
from importlib.metadata import distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.locks import INSTALL, requirements, without_extras


def pins(text: str) -> set[str]:
    """Each package with its version; markers and extras left aside."""
    return {f"{canonicalize_name(each.name)}{each.specifier}" for each in requirements(text)}


def unhashed(text: str) -> list[str]:
    """Requirements of a lock file that no hash follows."""
    return [block.split()[0] for block in re.split(r"\n(?=\S)", text.strip()) if "--hash=sha256:" not in block]


def required(metadata: Iterable[tuple[str, list[str]]], extras: dict[str, set[str]]) -> dict[str, set[str]]:
    """The extras that packages of a lock ask of others: package -> extras. `extras` is what the lock has."""
    found: dict[str, set[str]] = {}
    for name, lines in metadata:
        if name not in extras:
            continue
        for asked in map(Requirement, lines):
            chosen = [{"extra": extra} for extra in ("", *extras[name])]
            if asked.extras and (asked.marker is None or any(map(asked.marker.evaluate, chosen))):
                found.setdefault(canonicalize_name(asked.name), set()).update(asked.extras)
    return found


def missing(text: str, metadata: Iterable[tuple[str, list[str]]]) -> list[str]:
    """Extras that a lock does not have, although a package in it asks for them."""
    has: dict[str, set[str]] = {canonicalize_name(each.name): set(each.extras) for each in requirements(text)}
    return [
        f"{name}[{extra}]"
        for name, extras in sorted(required(metadata, has).items())
        for extra in sorted(extras - has.get(name, set()))
    ]


def resolving(text: str) -> list[str]:
    """Commands that install a lock and let pip look for other packages meanwhile."""
    joined = text.replace("\\\n", " ")
    return [
        line.strip()
        for line in joined.splitlines()
        if re.search(r"\binstall\b.* (-r|--requirement)\b|\bpip sync\b", line)
        if not set(INSTALL) <= set(line.split())
    ]


@pytest.fixture(scope="module")
def locks(texts: Callable[[str], dict[str, str]]) -> dict[str, str]:
    return texts("requirements/*.txt")


@pytest.fixture(scope="module")
def metadata() -> list[tuple[str, list[str]]]:
    """What every installed package says that it requires."""
    return [(canonicalize_name(each.name), each.requires or []) for each in distributions()]


def test_every_locked_package_has_its_hashes(locks: dict[str, str]) -> None:
    assert {path: unhashed(text) for path, text in locks.items() if unhashed(text)} == {}


@pytest.mark.parametrize("pattern", ["Makefile", "*/Containerfile", "*.md", ".ci/*"])
def test_whatever_installs_a_lock_installs_nothing_else(
    pattern: str, texts: Callable[[str], dict[str, str]]
) -> None:
    assert {path: resolving(text) for path, text in texts(pattern).items() if resolving(text)} == {}


def test_what_runs_in_production_is_what_is_developed_and_tested(locks: dict[str, str]) -> None:
    runtime, dev, deploy, test = (
        pins(locks[f"requirements/{name}.txt"]) for name in ("runtime", "dev", "deploy", "test")
    )
    assert runtime
    assert runtime <= dev <= test
    assert deploy <= test


def test_every_lock_has_the_extras_that_its_packages_ask_for(
    locks: dict[str, str], metadata: list[tuple[str, list[str]]]
) -> None:
    assert {path: missing(text, metadata) for path, text in locks.items() if missing(text, metadata)} == {}


def test_the_lock_that_broke_every_fresh_machine_is_found(
    locks: dict[str, str], metadata: list[tuple[str, list[str]]]
) -> None:
    broken = without_extras(locks["requirements/test.txt"])
    assert {"coverage[toml]", "urllib3[socks]"} <= set(missing(broken, metadata))


def test_an_extra_that_only_another_extra_asks_for_is_found() -> None:
    metadata = [("selenium", ["urllib3[socks]; extra == 'proxy'"])]
    assert missing("selenium==4\nurllib3==2\n", metadata) == []
    assert missing("selenium[proxy]==4\nurllib3==2\n", metadata) == ["urllib3[socks]"]


def test_a_requirement_without_a_hash_is_found() -> None:
    assert unhashed("flask==3.1 \\\n    --hash=sha256:00\nclick==8.1\n") == ["click==8.1"]


def test_a_lock_that_is_installed_with_dependencies_is_found() -> None:
    assert resolving("pip install --require-hashes \\\n  --requirement lock.txt") != []
    assert resolving("pip install --require-hashes -r lock.txt") != []
    assert resolving("uv pip sync lock.txt") != []
    assert resolving("pip install --no-deps --require-hashes --requirement lock.txt") == []
