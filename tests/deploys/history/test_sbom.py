"""The bill of materials: what pip would take from the lock, in the form that others read."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from deploys.history import sbom
from deploys.kit.operations.image import Image

RUNTIME = (Path(__file__).parents[3] / "requirements/runtime.txt").read_text(encoding="utf-8")
PYTHON = "3.13" + ".5"
MADE = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
IMAGE = Image("localhost/motorcade-leadgen:leadgen-7-0123456789ab", {"motorcade.version": PYTHON}, b"")
OLD = "3.11" + ".3"
LOCK = f"""\
flask=={3} \\
    --hash=sha256:00 \\
    --hash=sha256:01
# a comment
async-timeout=={5} ; python_full_version < '{OLD}' \\
    --hash=sha256:02
tzdata=={6} ; sys_platform == 'win32' \\
    --hash=sha256:03
gunicorn[gevent]=={27} ; platform_python_implementation == 'CPython' and python_version > '3.10' \\
    --hash=sha256:04
"""


def names(lock: str, python: str) -> list[str]:
    return [str(address) for address in sbom.addresses(lock, python)]


@pytest.mark.parametrize(
    ("python", "packages"),
    [
        (PYTHON, ["pkg:pypi/flask@3", "pkg:pypi/gunicorn@27"]),
        ("3.11" + ".2", ["pkg:pypi/flask@3", "pkg:pypi/async-timeout@5", "pkg:pypi/gunicorn@27"]),
        ("3.10" + ".9", ["pkg:pypi/flask@3", "pkg:pypi/async-timeout@5"]),
    ],
)
def test_what_is_meant_for_another_python_or_system_is_left_out(python: str, packages: list[str]) -> None:
    assert names(LOCK, python) == packages


def test_a_requirement_that_is_not_pinned_to_one_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="unpack"):
        names("flask\n", PYTHON)


def test_the_document_of_our_own_lock_is_valid_and_whole() -> None:
    text = sbom.document(IMAGE, RUNTIME, MADE)
    assert JsonStrictValidator(sbom.VERSION).validate_str(text) is None
    document = json.loads(text)
    assert document["specVersion"] == "1.6"
    found = {part["name"] for part in document["components"]}
    asked = {"python", "flask", "psycopg-binary", "gevent", "typing-extensions"}
    assert asked <= found
    assert found == {canonicalize_name(name) for name in found}
    assert document["metadata"]["component"]["version"] == "leadgen-7-0123456789ab"
    (root,) = (each for each in document["dependencies"] if each["ref"] == IMAGE.tag)
    assert set(root["dependsOn"]) == {part["bom-ref"] for part in document["components"]}


def test_a_document_that_is_not_valid_would_be_found() -> None:
    text = sbom.document(IMAGE, RUNTIME, MADE).replace('"type": "container"', '"type": "box"')
    assert JsonStrictValidator(sbom.VERSION).validate_str(text) is not None


def test_the_same_image_lock_and_time_give_the_same_bytes() -> None:
    assert sbom.document(IMAGE, RUNTIME, MADE) == sbom.document(IMAGE, RUNTIME, MADE)


def test_debians_packages_are_named_as_others_name_them_with_the_source_where_it_differs() -> None:
    lines = ["debian-13 bash 5.2-1 amd64 bash 5.2-1", "debian-13 libssl3t64 3.5-1+b2 amd64 openssl 3.5-1"]
    text = sbom.debian("localhost/motorcade-redis:8-0123456789ab", "5a", lines, MADE)
    assert JsonStrictValidator(sbom.VERSION).validate_str(text) is None
    document = json.loads(text)
    assert [part["purl"] for part in document["components"]] == [
        "pkg:deb/debian/bash@5.2-1?arch=amd64&distro=debian-13",
        "pkg:deb/debian/libssl3t64@3.5-1%2Bb2?arch=amd64&distro=debian-13&upstream=openssl%403.5-1",
    ]
    assert document["metadata"]["component"]["properties"] == [{"name": "motorcade:image-id", "value": "5a"}]
    assert text == sbom.debian("localhost/motorcade-redis:8-0123456789ab", "5a", lines, MADE)
