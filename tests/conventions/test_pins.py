"""Versions and digests stand in releases/ and requirements/ only, where one command changes them."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import leadgen
from deploys.history import history
from deploys.kit.errors import Refused

# docs/checkpoints tells what was seen on a host, and pins nothing.
HOMES = ("releases/", "requirements/", "docs/checkpoints/", "CHANGELOG.md", "tests/conventions/")
# Our own version, which the packaging wants in pyproject.toml and programs in the package.
OURS = {"leadgen/__init__.py", "pyproject.toml"}

PIN = re.compile(
    r"sha256:[0-9a-f]{64}"  # an image or a file by digest
    r"|[\w\]-]==\d+(\.\d+)*(?=[\s;,\"'`]|$)"  # a Python package
    r"|(?<![\w.-])v?\d+\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?![\w.]*\d)"  # a full version; not an address of four numbers
    r"|[a-z]:\d+(\.\d+)+(-\w+)?\b"  # an image by tag
)
# OpenAPI's version says what we speak, not what is installed.
STANDARDS = {"3.1.0"}


def faults(path: str, text: str) -> list[str]:
    if path.startswith(HOMES):
        return []
    return [
        f"{path}:{number}: `{pin[0]}` is a pin; it belongs to releases/ or requirements/"
        for number, line in enumerate(text.splitlines(), start=1)
        for pin in PIN.finditer(line)
        if pin[0] not in STANDARDS and not (path in OURS and pin[0] == leadgen.__version__)
    ]


@pytest.mark.parametrize("pattern", ["*.md", "*.py", "*.toml", "*.sql", "*.yaml", "*.html", "Makefile", ".ci/*"])
def test_no_pin_stands_outside_its_home(pattern: str, texts: Callable[[str], dict[str, str]]) -> None:
    assert [fault for path, text in texts(pattern).items() for fault in faults(path, text)] == []


def test_no_release_that_is_kept_was_changed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    try:
        assert history.rewritten() == []
    except Refused as refused:
        pytest.skip(f"what changed since when is known to git only: {refused}")


def test_our_own_version_is_the_same_in_both_its_places(project: Path) -> None:
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    assert metadata["project"]["version"] == leadgen.__version__


@pytest.mark.parametrize(
    "text",
    [
        "pip install flask==3.1",
        "image: example.com/redis:7.2",
        "FROM postgres@sha256:" + "0" * 64,
        "needs podman 5.4.2 at least",
        "https://example.com/v1.29.3/tool",
    ],
)
def test_a_pin_outside_its_home_is_found(text: str) -> None:
    assert len(faults("docs/first-run.md", text)) == 1
    assert faults("releases/prod.yaml", text) == []


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:8000",
        'openapi_version="3.1.0"',
        "Python 3.11",
        "if a==1:",
        "requires-python = '>=3.11'",
        "took 0.25 s",
        "PostgreSQL 18",
        "512.555.0142",
        "10.0.0.0/8",
    ],
)
def test_what_only_looks_like_a_pin_is_left_alone(text: str) -> None:
    assert faults("docs/first-run.md", text) == []
